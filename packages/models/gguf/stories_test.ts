import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { layer as wasmLayer } from "@espalier/wasm"
import { gguf } from "@huggingface/gguf"
import { hasData, needsData } from "@espalier/testing"
import { Effect, Result } from "effect"
import { join } from "node:path"
import { perplexity } from "../perplexity.ts"
import { temporaryFolder } from "../testing/folders.ts"
import { readEvaluationWindows, readStories, readStoriesTokenizer } from "../testing/stories.ts"
import { openGguf, readGgufModel, writeGgufModel } from "./files.ts"
import type { GgufMetadata } from "./metadata.ts"
import { decodeGgufModel, encodeGgufModel } from "./model.ts"

const encode = (...args: Parameters<typeof encodeGgufModel>) =>
  Result.getOrThrow(encodeGgufModel(...args))
const decode = (bytes: Uint8Array) => Result.getOrThrow(decodeGgufModel(bytes, "m.gguf"))

describe.skipIf(!hasData)(`a GGUF file of stories260K${needsData}`, () => {
  /** What another reader calls values that are plain numbers, texts and lists here. */
  const plain = (metadata: GgufMetadata) =>
    Object.fromEntries(
      [...metadata].map(([key, value]) => [
        key,
        value.type === "array" ? [...value.values] : value.value,
      ]),
    )

  it.effect("is the same to @huggingface/gguf", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryFolder, "stories260K.gguf")
      const tokenizer = readStoriesTokenizer()
      const { kept } = yield* writeGgufModel(path, readStories(), {
        type: "Q4_0",
        name: "stories260K",
        tokenizer,
      })
      assert.deepStrictEqual(
        kept.map(({ tensor, shape }) => [tensor, shape.join()]),
        [0, 1, 2, 3, 4].map((i) => [`blk.${i}.ffn_down.weight`, "64,172"]),
      )
      const { metadata, tensorInfos, tensorDataOffset } = yield* Effect.promise(() =>
        gguf(path, { allowLocalFile: true }),
      )
      const ours = yield* openGguf(path)
      const { version, tensor_count, kv_count, ...rest } = metadata
      const values: Readonly<Record<string, unknown>> = rest
      assert.deepStrictEqual(
        [version, tensor_count, kv_count],
        [3, BigInt(ours.tensors.size), BigInt(ours.metadata.size)],
      )
      assert.deepStrictEqual({ ...values }, plain(ours.metadata))
      assert.strictEqual(Number(values["general.file_type"]), 2)
      assert.deepInclude(values, {
        "general.architecture": "llama",
        "llama.embedding_length": 64,
        "llama.block_count": 5,
        "llama.feed_forward_length": 172,
        "llama.attention.head_count": 8,
        "llama.attention.head_count_kv": 4,
        "llama.context_length": 512,
        "llama.vocab_size": 512,
        "tokenizer.ggml.model": "llama",
      })
      const codes = { F32: 0, F16: 1, Q4_0: 2, Q4_1: 3, Q8_0: 8, BF16: 30 }
      assert.deepStrictEqual(
        tensorInfos.map(({ name, shape, dtype, offset }) => ({
          name,
          shape: shape.map(Number).toReversed(),
          dtype: dtype as number,
          from: Number(tensorDataOffset + offset),
        })),
        [...ours.tensors.values()].map(({ name, shape, type, from }) => ({
          name,
          shape,
          dtype: codes[type],
          from,
        })),
      )
      const back = yield* readGgufModel(path)
      const text = 'Once upon a time, Lily said "hi".'
      assert.deepStrictEqual(back.tokenizer?.encode(text), tokenizer.encode(text))
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  )

  it.effect("in Q8_0 has the perplexity of the model", () =>
    Effect.gen(function* () {
      const windows = readEvaluationWindows(16)
      const dense = yield* perplexity(readStories(), windows)
      const ratio = (type: "F16" | "Q8_0" | "Q4_0" | "Q4_1") =>
        Effect.gen(function* () {
          const { model } = decode(encode(readStories(), { type }).bytes)
          const found = yield* perplexity(model, windows)
          return found.perplexity / dense.perplexity
        })
      assert.closeTo(yield* ratio("F16"), 1, 0.0005)
      assert.closeTo(yield* ratio("Q8_0"), 1, 0.005)
      // Worse, but the same model: nothing is permuted or swapped.
      for (const type of ["Q4_0", "Q4_1"] as const) assert.isBelow(yield* ratio(type), 1.2)
    }).pipe(Effect.provide(wasmLayer())),
  )
})
