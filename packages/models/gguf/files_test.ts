import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { HostArray } from "@espalier/tensor"
import { Effect, Result } from "effect"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { openCheckpoint } from "../hugging_face/checkpoint.ts"
import { toHuggingFace } from "../hugging_face/tensors.ts"
import type { Llama } from "../llama.ts"
import { makeLlama } from "../llama.ts"
import { temporaryFolder, writeFolder } from "../testing/folders.ts"
import { tinyLlama } from "../testing/tiny.ts"
import { openGguf, readGgufModel, writeGgufModel } from "./files.ts"
import { decodeGgufModel, encodeGgufModel } from "./model.ts"

/** Sizes that blocks of 32 fit, but for the rows of `down`. */
const small = (change: Parameters<typeof tinyLlama>[0] = {}): Llama =>
  tinyLlama({ dimension: 64, hiddenDimension: 40, vocabularySize: 300, ...change })

const encode = (...args: Parameters<typeof encodeGgufModel>) =>
  Result.getOrThrow(encodeGgufModel(...args))
const decode = (bytes: Uint8Array) => Result.getOrThrow(decodeGgufModel(bytes, "m.gguf"))

describe("GGUF files of models on disk", () => {
  it.effect("are the bytes that are made in memory", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryFolder, "m.gguf")
      const model = small({ tiedEmbeddings: false })
      const options = { type: "Q4_1", name: "small" } as const
      const { bytes, kept } = encode(model, options)
      writeFileSync(path, "what was there before")
      const written = yield* writeGgufModel(path, model, options)
      assert.deepStrictEqual(written, { path, length: bytes.length, kept })
      assert.deepStrictEqual(Uint8Array.from(readFileSync(path)), bytes)
      assert.isFalse(existsSync(`${path}.partial`))
      const back = yield* readGgufModel(path)
      assert.deepStrictEqual(back.model.parameters, decode(bytes).model.parameters)
      const opened = yield* openGguf(path)
      assert.deepStrictEqual(
        (yield* opened.read("blk.1.attn_v.weight")).data,
        back.model.parameters.blocks[1].value.data,
      )
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  )

  it.effect("are written from a folder, a tensor at a time", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const model = small()
      writeFolder(join(folder, "hf"), model)
      const checkpoint = yield* openCheckpoint(join(folder, "hf"))
      const path = join(folder, "m.gguf")
      yield* writeGgufModel(path, checkpoint.model, { type: "Q8_0", read: checkpoint.read })
      const expected = encode(model, { type: "Q8_0" }).bytes
      assert.deepStrictEqual(Uint8Array.from(readFileSync(path)), expected)
      // The rows of queries and keys lie otherwise in the folder.
      const hf = Result.getOrThrow(toHuggingFace(model)).get(
        "model.layers.0.self_attn.q_proj.weight",
      )
      assert.notDeepEqual(hf?.data, model.parameters.blocks[0].query.data)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  )

  it.effect("are not half written", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const path = join(folder, "m.gguf")
      const model = small()
      const norm = HostArray.make([64], new Float32Array(64))
      const down = HostArray.make([64, 40], new Float32Array(2560).fill(Number.NaN))
      const [first, second] = model.parameters.blocks
      const damaged = makeLlama(model.config, {
        ...model.parameters,
        blocks: [first, { ...second, down }],
        norm,
      })
      const error = yield* Effect.flip(writeGgufModel(path, damaged, { type: "Q8_0" }))
      assert.deepInclude(error, { _tag: "UnstorableWeight", tensor: "blk.1.ffn_down.weight" })
      assert.isFalse(existsSync(path))
      assert.isFalse(existsSync(`${path}.partial`))
      const missing = yield* Effect.flip(writeGgufModel(join(folder, "no", "m.gguf"), model))
      assert.strictEqual(missing._tag, "CheckpointFileError")
      const nothing = yield* Effect.flip(readGgufModel(path))
      assert.strictEqual(nothing._tag, "CheckpointFileError")
      const { bytes } = encode(model)
      writeFileSync(path, bytes.subarray(0, bytes.length - 100))
      const cut = yield* Effect.flip(readGgufModel(path))
      assert.match(cut.message, /truncated/)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  )
})
