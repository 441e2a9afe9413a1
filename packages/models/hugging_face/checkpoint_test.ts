import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Notices } from "@espalier/runtime"
import { HostArray, Spec, Tree } from "@espalier/tensor"
import * as Wasm from "@espalier/wasm"
import { hasData, needsData } from "@espalier/testing"
import { Effect } from "effect"
import { mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { perplexity } from "../perplexity.ts"
import { encodeSafetensors } from "../safetensors.ts"
import { decodeFloats, encodeFloats } from "../stored_dtype.ts"
import type { StoredDType } from "../stored_dtype.ts"
import type { FolderOptions } from "../testing/folders.ts"
import { makeWatch, temporaryFolder, watchedFiles, writeFolder } from "../testing/folders.ts"
import { tinyGpt2, tinyOpt } from "../testing/random_parameters.ts"
import { readEvaluationWindows, readStories } from "../testing/stories.ts"
import { tinyLlama } from "../testing/tiny.ts"
import { openCheckpoint } from "./checkpoint.ts"
import type { HuggingFaceModel } from "./model.ts"
import type { StoredArray } from "./stored_array.ts"

/** The same tree with every number rounded to the nearest of a dtype. */
const rounded = <T>(tree: T, dtype: StoredDType) =>
  Tree.map<HostArray.HostArray, HostArray.HostArray, T>(tree, ({ shape, data }) => {
    const floats = new Float32Array(data.length)
    decodeFloats(dtype, encodeFloats(dtype, Float32Array.from(data)), floats)
    return HostArray.make(shape, floats)
  })

/** The model that a folder gives back, with all of its weights. */
const readBack = Effect.fnUntraced(function* (folder: string) {
  const { model, read } = yield* openCheckpoint(folder)
  return model.withParameters(yield* read(model.parameters))
})

const models: ReadonlyArray<HuggingFaceModel> = [
  tinyLlama({ tiedEmbeddings: false }),
  tinyLlama({ attentionBias: true, headDimension: 6 }),
  tinyGpt2(),
  tinyOpt({ embeddingDimension: 5, normBefore: false }),
]

const layouts: ReadonlyArray<FolderOptions> = (["F32", "F16", "BF16"] as const).flatMap((dtype) =>
  [1, 3].map((shards) => ({ dtype, shards })),
)

describe("openCheckpoint", () => {
  for (const { dtype = "F32", shards = 1 } of layouts) {
    const name = `${dtype} in ${shards === 1 ? "one file" : `${shards} shards`}`

    it.effect(`reads what was written, as ${name}`, () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        for (const [i, model] of models.entries()) {
          const path = join(folder, String(i))
          writeFolder(path, model, { dtype, shards })
          const checkpoint = yield* openCheckpoint(path)
          assert.strictEqual(checkpoint.family, model.family)
          assert.deepStrictEqual(checkpoint.config, model.config)
          assert.lengthOf(checkpoint.files, shards)
          assert.deepStrictEqual(
            yield* checkpoint.read(checkpoint.model.parameters),
            rounded(model.parameters, dtype),
          )
        }
      }).pipe(Effect.provide(NodeServices.layer)),
    )

    it.effect.skipIf(!hasData)(`stories260K goes there and back as ${name}${needsData}`, () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const stories = readStories()
        writeFolder(folder, stories, { dtype, shards })
        const model = yield* readBack(folder)
        assert.deepStrictEqual(model.parameters, rounded(stories.parameters, dtype))
        const windows = readEvaluationWindows(2)
        const before = yield* perplexity(stories, windows)
        const after = yield* perplexity(model, windows)
        if (dtype === "F32") assert.deepStrictEqual(after, before)
        else assert.closeTo(after.perplexity, before.perplexity, 0.05)
      }).pipe(Effect.scoped, Effect.provide([NodeServices.layer, Wasm.layer()])),
    )
  }

  it.effect("takes names without the usual prefix, and files through links", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      for (const [i, model] of models.entries()) {
        const [blobs, path] = [join(folder, `blobs${i}`), join(folder, String(i))]
        const rename = (name: string) => name.replace(/^(model\.decoder|model|transformer)\./, "")
        writeFolder(blobs, model, { rename })
        mkdirSync(path)
        for (const name of ["config.json", "model.safetensors"]) {
          symlinkSync(join(blobs, name), join(path, name))
        }
        const back = yield* readBack(path)
        assert.deepStrictEqual(back.parameters, model.parameters)
      }
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.effect("gives a model whose programs can be made before its weights are read", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const [model] = models
      writeFolder(folder, model, { dtype: "BF16" })
      const checkpoint = yield* openCheckpoint(folder)
      assert.deepStrictEqual<unknown>(
        Spec.of(checkpoint.model.parameters),
        Spec.of(model.parameters),
      )
      const [block] = checkpoint.model.blocks
      const { query, down } = block.parameters(checkpoint.model.parameters) as Record<
        string,
        StoredArray
      >
      assert.deepStrictEqual(query, {
        shape: [16, 16],
        dtype: "f32",
        name: "model.layers.0.self_attn.q_proj.weight",
        storedDtype: "BF16",
        arrangement: { kind: "half-split", heads: 4 },
      })
      assert.deepStrictEqual(down.arrangement, { kind: "plain" })
      assert.isTrue(checkpoint.tensors.has(down.name))
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.effect("reads headers when it opens, and then only the bytes that are asked for", () => {
    const watch = makeWatch()
    return Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const model = tinyLlama({ dimension: 64, hiddenDimension: 300 })
      writeFolder(folder, model, { dtype: "F16", shards: 2 })
      const { model: stored, read, tensors } = yield* openCheckpoint(folder)
      const header = Math.min(...[...tensors.values()].map(({ from }) => from))
      assert.isAtMost(watch.bytesRead, 3 * header)
      watch.bytesRead = 0
      const own = stored.blocks[1].parameters(stored.parameters)
      const found = yield* read(own)
      const numbers = Tree.leaves<HostArray.HostArray>(found).reduce((n, x) => n + x.data.length, 0)
      assert.strictEqual(watch.bytesRead, 2 * numbers)
    }).pipe(Effect.provide(watchedFiles(watch)))
  })

  it.effect("reads rows of a table, in any order, and no other byte of it", () => {
    const watch = makeWatch()
    return Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const model = tinyGpt2()
      writeFolder(folder, model, { dtype: "BF16", shards: 2 })
      const { model: stored, readRows } = yield* openCheckpoint(folder)
      const { embedding, blocks } = stored.parameters as {
        readonly embedding: StoredArray
        readonly blocks: ReadonlyArray<{ readonly qkv: StoredArray }>
      }
      const [count, width] = embedding.shape
      const rows = [count - 1, 0, 3, 3]
      watch.bytesRead = 0
      const found = yield* readRows(embedding, rows)
      assert.strictEqual(watch.bytesRead, 2 * rows.length * width)
      const whole = (
        rounded(model.parameters, "BF16") as { readonly embedding: HostArray.HostArray }
      ).embedding
      const expected = rows.flatMap((row) =>
        Array.from(whole.data.subarray(row * width, (row + 1) * width)),
      )
      assert.deepStrictEqual(found, HostArray.make([4, width], Float32Array.from(expected)))
      for (const wrong of [-1, count, 0.5]) {
        const exit = yield* Effect.exit(readRows(embedding, [wrong]))
        assert.match(String(exit), /has no row/)
      }
      const exit = yield* Effect.exit(readRows(blocks[0].qkv, [0]))
      assert.match(String(exit), /do not lie in its file as they do in memory/)
    }).pipe(Effect.provide(watchedFiles(watch)))
  })

  it.effect("says that a sliding window limits the context", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      writeFolder(folder, tinyLlama({ slidingWindow: 12 }))
      const [, notices] = yield* Notices.collect(openCheckpoint(folder))
      assert.lengthOf(notices, 1)
      assert.match(notices[0], /sliding window of 12 tokens/)
    }).pipe(Effect.provide(NodeServices.layer)),
  )
})

const index = "model.safetensors.index.json"
const shard = (i: number) => `model-0000${i}-of-00003.safetensors`

type Damage = (
  folder: string,
  edit: (name: string, change: (text: string) => string) => void,
) => void

const f32 = (shape: ReadonlyArray<number>) => HostArray.zeros(shape)

const damages: ReadonlyArray<readonly [string, Damage, RegExp]> = [
  [
    "no config.json",
    (folder) => rmSync(join(folder, "config.json")),
    /expected a file config\.json, found model-00001-of-00003\.safetensors, /,
  ],
  [
    "no weights",
    (folder) => rmSync(join(folder, index)),
    /expected model\.safetensors or model\.safetensors\.index\.json, found neither/,
  ],
  [
    "weights in another format",
    (folder) => {
      rmSync(join(folder, index))
      writeFileSync(join(folder, "pytorch_model.bin"), "")
    },
    /found pytorch_model\.bin\. Convert the weights to safetensors/,
  ],
  [
    "a missing shard",
    (folder) => rmSync(join(folder, shard(2))),
    /index\.json: expected model-00002-of-00003\.safetensors, which has .*found no such file/,
  ],
  [
    "an index that is no index",
    (_, edit) => edit(index, () => `{"weight_map": []}`),
    /weight_map from tensors to files/,
  ],
  [
    "a tensor twice in the index",
    (_, edit) =>
      edit(index, (text) =>
        text.replace(
          `"model.norm.weight":`,
          `"model.norm.weight":"${shard(1)}","model.norm.weight":`,
        ),
      ),
    /model\.norm\.weight twice/,
  ],
  [
    "a tensor that is not in its shard",
    (_, edit) =>
      edit(index, (text) => text.replace(/("model\.norm\.weight":)"[^"]*"/, `$1"${shard(1)}"`)),
    /expected model\.norm\.weight in model-00001-of-00003\.safetensors, found it in model-00003/,
  ],
  [
    "a tensor that is in no shard",
    (_, edit) => edit(index, (text) => text.replace(`{"model`, `{"nowhere":"${shard(1)}","model`)),
    /expected nowhere in model-00001-of-00003\.safetensors, found no such tensor/,
  ],
  [
    "a shard in another folder",
    (_, edit) => edit(index, (text) => text.replaceAll(shard(1), `../elsewhere/${shard(1)}`)),
    /a file of the same folder/,
  ],
  [
    "a tensor in two shards",
    (folder) => {
      const tensors = new Map([["model.norm.weight", f32([16])]])
      writeFileSync(join(folder, shard(2)), encodeSafetensors(tensors))
    },
    /00003-of-00003\.safetensors: expected model\.norm\.weight once, found another in model-00002/,
  ],
  [
    "a truncated shard",
    (folder) => truncateSync(join(folder, shard(3)), 1000),
    /00003-of-00003\.safetensors: .*truncated/,
  ],
  [
    "an empty shard",
    (folder) => truncateSync(join(folder, shard(1)), 0),
    /at least 8 bytes, found 0 bytes/,
  ],
  [
    "a header that claims to be as long as can be said",
    (folder) => writeFileSync(join(folder, shard(1)), new Uint8Array(64).fill(0xff)),
    /found a length of 18446744073709551615/,
  ],
  [
    "a header that claims to be longer than the file",
    (folder) => {
      const bytes = readFileSync(join(folder, shard(1)))
      bytes.writeUInt32LE(90_000_000)
      writeFileSync(join(folder, shard(1)), bytes)
    },
    /a header of 90000000 bytes, found \d+ bytes after its length/,
  ],
  [
    "another size of the model",
    (_, edit) =>
      edit("config.json", (text) => text.replace(`"hidden_size": 16`, `"hidden_size": 32`)),
    /expected model\.layers\.0\.input_layernorm\.weight \[32\], found \[16\]/,
  ],
  [
    "another number of layers",
    (_, edit) => edit("config.json", (text) => text.replace(/("num_hidden_layers":) 2/, "$1 1")),
    /found model\.layers\.1\.\S+ besides/,
  ],
  [
    "an untied head that is missing",
    (_, edit) =>
      edit("config.json", (text) => text.replace(/("tie_word_embeddings":) true/, "$1 false")),
    /lm_head\.weight \[11, 16\], found no such tensor.*tie_word_embeddings/,
  ],
  [
    "another kind of model",
    (_, edit) => edit("config.json", (text) => text.replace(`"llama"`, `"mamba"`)),
    /config\.json: expected model_type in .*, found "mamba"/,
  ],
]

describe("a folder", () => {
  for (const [what, damage, message] of damages) {
    it.effect(`with ${what} is refused`, () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        writeFolder(folder, tinyLlama(), { shards: 3 })
        damage(folder, (name, change) => {
          const path = join(folder, name)
          writeFileSync(path, change(readFileSync(path, "utf8")))
        })
        const error = yield* Effect.flip(openCheckpoint(folder))
        assert.strictEqual(error._tag, "CheckpointFormatError")
        assert.match(error.message, message)
      }).pipe(Effect.provide(NodeServices.layer)),
    )
  }

  it.effect("whose weights are no floating-point numbers is refused by the tensor's name", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      writeFolder(folder, tinyLlama())
      const path = join(folder, "model.safetensors")
      const text = readFileSync(path, "latin1").replace(`"F32"`, `"I32"`)
      writeFileSync(path, text, "latin1")
      const error = yield* Effect.flip(openCheckpoint(folder))
      assert.match(
        error.message,
        /expected model\.embed_tokens\.weight in F32, F16, BF16, found I32/,
      )
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.effect("that is not there, or a file, is refused", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const absent = yield* Effect.flip(openCheckpoint(join(folder, "absent")))
      assert.strictEqual(absent._tag, "CheckpointFileError")
      assert.match(absent.message, /absent: cannot read: it is not there/)
      writeFileSync(join(folder, "file"), "")
      const file = yield* Effect.flip(openCheckpoint(join(folder, "file")))
      assert.match(file.message, /expected a folder/)
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.effect("that changes while it is read is refused", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      writeFolder(folder, tinyLlama())
      const { model, read } = yield* openCheckpoint(folder)
      truncateSync(join(folder, "model.safetensors"), 3000)
      const error = yield* Effect.flip(read(model.parameters))
      assert.match(error.message, /found the end of the file/)
    }).pipe(Effect.provide(NodeServices.layer)),
  )
})
