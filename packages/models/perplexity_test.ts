import { assert, describe, it } from "@effect/vitest"
import { Notices } from "@espalier/runtime"
import type { HostArray } from "@espalier/tensor"
import { Device, Interpreter } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { hasData, needsData, readDocuments } from "@espalier/testing"
import { Effect } from "effect"
import { mapLlamaParameters } from "./llama_parameters.ts"
import { perplexity, stackWindows } from "./perplexity.ts"
import { readEvaluationWindows, readStories, readStoriesTokenizer } from "./testing/stories.ts"
import { tinyLlama, tinyWindows } from "./testing/tiny.ts"
import { cutWindows, tokenStream } from "./text_windows.ts"

const withLeaf = (
  parameters: ReturnType<typeof tinyLlama>["parameters"],
  change: (leaf: HostArray.HostArray, name: string) => HostArray.HostArray["data"],
) => mapLlamaParameters(parameters, (leaf, name) => ({ ...leaf, data: change(leaf, name) }))

describe("perplexity", () => {
  it.effect("of uniform logits is the size of the vocabulary", () =>
    Effect.gen(function* () {
      const model = tinyLlama()
      const zeros = withLeaf(model.parameters, ({ data }) => data.slice().fill(0))
      const found = yield* perplexity(model.withParameters(zeros), tinyWindows(3, 6))
      assert.closeTo(found.perplexity, 11, 1e-9)
      assert.closeTo(found.crossEntropy, Math.log(11), 1e-12)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("does not depend on the batch, a partial last one included", () =>
    Effect.gen(function* () {
      const model = tinyLlama()
      const windows = tinyWindows(7, 8)
      const whole = yield* perplexity(model, windows, { batch: 7 })
      for (const batch of [1, 2, 3, 100]) {
        const found = yield* perplexity(model, windows, { batch })
        assert.closeTo(found.perplexity, whole.perplexity, 1e-9)
        assert.deepStrictEqual([found.windows, found.tokens, found.window], [7, 56, 8])
      }
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("is exp of the mean over windows of their own cross-entropies", () =>
    Effect.gen(function* () {
      const model = tinyLlama()
      const windows = tinyWindows(4, 5)
      const each = yield* Effect.forEach(windows, (window) => perplexity(model, [window]))
      const mean = each.reduce((sum, { crossEntropy }) => sum + crossEntropy, 0) / 4
      const { perplexity: found } = yield* perplexity(model, windows)
      assert.closeTo(found, Math.exp(mean), 1e-9)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("fails with NonFinite where the weights are damaged, and names the window", () =>
    Effect.gen(function* () {
      const model = tinyLlama()
      // Token 10 alone has a broken embedding: only the windows that hold it fail.
      const broken = withLeaf(tinyLlama({ tiedEmbeddings: false }).parameters, ({ data }, name) =>
        name === "embedding" ? data.map((x, i) => (i >= 160 ? Number.NaN : x)) : data,
      )
      const windows = [Int32Array.of(1, 2, 3), Int32Array.of(4, 10, 5)]
      const damaged = model.withParameters(broken)
      const error = yield* Effect.flip(perplexity(damaged, windows, { batch: 1 }))
      if (error._tag !== "NonFinite") return assert.fail(error.message)
      assert.strictEqual(error.node, "window 1")
      assert.include(error.hint, "damaged")
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("gives its memory back", () =>
    Effect.gen(function* () {
      const { statistics } = yield* Device
      const before = statistics().liveBytes
      yield* perplexity(tinyLlama(), tinyWindows(3, 6), { batch: 2 })
      assert.strictEqual(statistics().liveBytes, before)
    }).pipe(Effect.provide(wasmLayer({ poison: true, threads: 1 }))),
  )

  it.effect("notes windows that are too short to mean much", () =>
    Effect.gen(function* () {
      const [, notices] = yield* Notices.collect(perplexity(tinyLlama(), tinyWindows(1, 6)))
      assert.match(notices[0], /windows of 6 tokens/)
    }).pipe(Effect.provide(Interpreter.layer)),
  )
})

describe("stackWindows", () => {
  it("fills missing rows with the last window", () => {
    const { shape, dtype, data } = stackWindows([Int32Array.of(1, 2), Int32Array.of(3, 4)], 3)
    assert.deepStrictEqual([shape, dtype, [...data]], [[3, 2], "i32", [1, 2, 3, 4, 3, 4]])
  })

  it("refuses windows of different lengths, and none at all", () => {
    assert.throws(() => stackWindows([]), RangeError, "at least one")
    assert.throws(() => stackWindows([new Int32Array(3), new Int32Array(2)]), RangeError, "3 and 2")
  })
})

describe.skipIf(!hasData)(`perplexity of stories260K${needsData}`, () => {
  it.effect("on the first 8 evaluation windows is what the interpreter gives", () =>
    Effect.gen(function* () {
      const model = readStories()
      const windows = readEvaluationWindows(8)
      // From one run of this function on the interpreter, in f64.
      const exact = 4.258957206783294
      for (const batch of [8, 3]) {
        const found = yield* perplexity(model, windows, { batch })
        assert.closeTo(found.perplexity / exact, 1, 1e-5)
      }
    }).pipe(Effect.provide(wasmLayer({ poison: true }))),
  )

  it.effect("on the whole evaluation stream is that of an independent PyTorch program", () =>
    Effect.gen(function* () {
      const found = yield* perplexity(readStories(), readEvaluationWindows(10_000))
      assert.closeTo(found.perplexity, 4.8265, 0.00006)
    }).pipe(Effect.provide(wasmLayer())),
  )

  it.effect("hardly changes with the int8 export", () =>
    Effect.gen(function* () {
      const text = readDocuments("text/tinystories_eval_norm.jsonl").slice(0, 4)
      const stream = tokenStream(readStoriesTokenizer(), text)
      const cut = yield* Effect.fromResult(cutWindows(stream, { window: 256 }))
      const exact = yield* perplexity(readStories(), cut.windows)
      const int8 = yield* perplexity(readStories("stories260K-q8.bin"), cut.windows)
      assert.closeTo(int8.crossEntropy, exact.crossEntropy, 0.01)
      assert.notStrictEqual(int8.crossEntropy, exact.crossEntropy)
    }).pipe(Effect.provide(wasmLayer())),
  )
})
