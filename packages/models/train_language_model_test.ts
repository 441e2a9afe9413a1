import { assert, describe, it } from "@effect/vitest"
import { layer as wasmLayer } from "@espalier/wasm"
import { Effect, Stream } from "effect"
import { generate } from "./generate.ts"
import { initializeLlama, makeLlama } from "./llama.ts"
import { perplexity } from "./perplexity.ts"
import { tinyConfig } from "./testing/tiny.ts"
import { trainLanguageModel } from "./train_language_model.ts"

const config = tinyConfig({ vocabularySize: 6 })
/** 0 1 2 0 3 4 5 …: after a 0, only the token before it tells what comes. */
const period = [0, 1, 2, 0, 3, 4, 5]
const stream = Int32Array.from({ length: 300 }, (_, i) => period[i % period.length])
const options = { stream, window: 12, batch: 8, steps: 300, learningRate: 5e-3 }

const start = Effect.map(initializeLlama(config, 1), (parameters) => makeLlama(config, parameters))

describe("trainLanguageModel", () => {
  it.effect("learns a periodic sequence, and continues it", () =>
    Effect.gen(function* () {
      const { model, losses } = yield* trainLanguageModel(yield* start, options)
      assert.strictEqual(losses.length, 300)
      assert.isAbove(losses[0], 1)
      // The second token of a window that begins with 0 cannot be known: log 2, in 2 of 7 windows.
      const floor = (2 / 7) * (Math.LN2 / 11)
      const tail = losses.slice(-20).reduce((sum, loss) => sum + loss, 0) / 20
      assert.closeTo(tail, floor, 0.05)
      const found = yield* perplexity(model, [stream.slice(3, 15)])
      assert.isBelow(found.perplexity, 1.15)
      const given = stream.slice(0, 5)
      const continued = yield* Stream.runCollect(generate(model, given, { tokens: 7 }))
      assert.deepStrictEqual(continued, Array.from(stream.slice(5, 12)))
    }).pipe(Effect.provide(wasmLayer({ poison: true }))),
  )

  it.effect("gives the same bits for the same seed, other windows for another", () =>
    Effect.gen(function* () {
      const few = { ...options, steps: 6 }
      const model = yield* start
      const first = yield* trainLanguageModel(model, few)
      const again = yield* trainLanguageModel(model, few)
      assert.deepStrictEqual(again.losses, first.losses)
      assert.deepStrictEqual(again.model.parameters, first.model.parameters)
      const other = yield* trainLanguageModel(model, { ...few, seed: 1 })
      assert.notDeepEqual(other.losses, first.losses)
    }).pipe(Effect.provide(wasmLayer())),
  )

  it.effect("refuses a text that does not fill a window", () =>
    Effect.gen(function* () {
      const short = { ...options, stream: stream.slice(0, 11) }
      const error = yield* Effect.flip(trainLanguageModel(yield* start, short))
      if (error._tag !== "TextTooShort") return assert.fail(error.message)
      assert.deepStrictEqual([error.tokens, error.window], [11, 12])
    }).pipe(Effect.provide(wasmLayer({ threads: 1 }))),
  )

  it.effect("fails with NonFinite where training diverges", () =>
    Effect.gen(function* () {
      const wild = { ...options, steps: 50, warmup: 1, clip: 1e9, learningRate: 1e30 }
      const error = yield* Effect.flip(trainLanguageModel(yield* start, wild))
      assert.strictEqual(error._tag, "NonFinite")
    }).pipe(Effect.provide(wasmLayer({ threads: 1 }))),
  )

  it.effect("in parts is training in one go, within rounding", () =>
    Effect.gen(function* () {
      const few = { ...options, steps: 8 }
      const model = yield* start
      const whole = yield* trainLanguageModel(model, few)
      const parts = yield* trainLanguageModel(model, { ...few, accumulate: 4 })
      parts.losses.forEach((loss, i) => assert.closeTo(loss, whole.losses[i], 1e-4))
      const error = yield* Effect.flip(trainLanguageModel(model, { ...few, accumulate: 3 }))
      assert.match(error.message, /accumulate is 3. Give a divisor of the batch of 8 windows/)
    }).pipe(Effect.provide(wasmLayer({ threads: 1 }))),
  )

  for (const optimizer of ["lion", "muon"] as const) {
    for (const schedule of ["wsd", "constant"] as const) {
      it.effect(`learns by ${optimizer} and ${schedule}`, () =>
        Effect.gen(function* () {
          const learningRate = optimizer === "lion" ? 1e-3 : 5e-3
          const few = { ...options, steps: 120, learningRate, optimizer, schedule }
          const { losses } = yield* trainLanguageModel(yield* start, few)
          assert.isBelow(losses[119], 0.4)
        }).pipe(Effect.provide(wasmLayer({ threads: 1 }))),
      )
    }
  }

  it.effect("keeps the best of its evaluations, and says what it found", () =>
    Effect.gen(function* () {
      const windows = Array.from({ length: 11 }, (_, i) => stream.slice(7 * i, 7 * i + 12))
      const evaluate = { windows, every: 5, patience: 2 }
      // Learns, and then unlearns.
      const learningRate = (step: number) => (step <= 30 ? 5e-3 : 0.5)
      const found = yield* trainLanguageModel(yield* start, {
        ...options,
        steps: 100,
        schedule: learningRate,
        evaluate,
      })
      if (found.best === undefined) return assert.fail("nothing was evaluated")
      assert.strictEqual(found.best.step, 30)
      assert.lengthOf(found.losses, 40)
      const { crossEntropy } = yield* perplexity(found.model, windows)
      assert.closeTo(found.best.value, crossEntropy, 1e-6)
      assert.deepStrictEqual(
        found.evaluations.map(({ step }) => step),
        [0, 5, 10, 15, 20, 25, 30, 35, 40],
      )
    }).pipe(Effect.provide(wasmLayer({ threads: 1 }))),
  )

  it.effect("gives the moving average where one is asked for", () =>
    Effect.gen(function* () {
      const model = yield* start
      const few = { ...options, steps: 10 }
      const last = yield* trainLanguageModel(model, few)
      const average = yield* trainLanguageModel(model, { ...few, average: 0.5 })
      assert.deepStrictEqual(average.losses, last.losses)
      assert.notDeepEqual(average.model.parameters, last.model.parameters)
    }).pipe(Effect.provide(wasmLayer({ threads: 1 }))),
  )

  for (const kind of ["lora", "dora"] as const) {
    it.effect(`trains adapters and nothing else: ${kind}`, () =>
      Effect.gen(function* () {
        const model = yield* start
        const linears = ({ name }: { readonly name: string }) => name !== "value"
        const lowRank = { rank: 4, kind, linears }
        const some = { ...options, steps: 60, learningRate: 0.02, lowRank }
        const found = yield* trainLanguageModel(model, some)
        assert.isBelow(found.losses[59], found.losses[0] * 0.8)
        const [before, after] = [model.parameters, found.model.parameters].map(
          (tree) => tree as typeof model.parameters,
        )
        assert.deepStrictEqual(after.embedding, before.embedding)
        assert.deepStrictEqual(after.norm, before.norm)
        for (const [i, block] of after.blocks.entries()) {
          assert.deepStrictEqual(block.value, before.blocks[i].value)
          assert.deepStrictEqual(block.attentionNorm, before.blocks[i].attentionNorm)
          assert.notDeepEqual(block.down, before.blocks[i].down)
        }
        const shapes = model.blocks.flatMap((block) => block.linears.filter(linears))
        const expected = shapes.reduce(
          (sum, { shape: [outputs, inputs] }) =>
            sum + 4 * (outputs + inputs) + (kind === "dora" ? outputs : 0),
          0,
        )
        assert.strictEqual(found.trained, expected)
        // What training reported first is the loss of the model itself.
        const first = yield* trainLanguageModel(model, { ...options, steps: 1 })
        assert.closeTo(found.losses[0], first.losses[0], 1e-6)
      }).pipe(Effect.provide(wasmLayer({ threads: 1 }))),
    )
  }

  it.effect("in f16 is refused by a device without it", () =>
    Effect.gen(function* () {
      const model = yield* start
      const error = yield* Effect.flip(trainLanguageModel(model, { ...options, precision: "f16" }))
      assert.strictEqual(error._tag, "UnsupportedDType")
    }).pipe(Effect.provide(wasmLayer({ threads: 1 }))),
  )

  const ways = [{ optimizer: "muon" }, { optimizer: "lion" }, { lowRank: { rank: 2 } }] as const
  for (const way of ways) {
    it.effect(`keeps zeros, and none but those, with ${JSON.stringify(way)}`, () =>
      Effect.gen(function* () {
        const fresh = yield* start
        const own = fresh.parameters.blocks[0]
        const down = { ...own.down, data: own.down.data.map((w, i) => (i % 2 === 0 ? 0 : w)) }
        const pruned = fresh.blocks[0].replace(fresh.parameters, { ...own, down })
        const few = { ...options, steps: 5, keepZeros: true, ...way }
        const { model } = yield* trainLanguageModel(fresh.withParameters(pruned), few)
        const found = (model.parameters as typeof fresh.parameters).blocks[0].down.data
        found.forEach((weight, i) => assert.strictEqual(weight === 0, i % 2 === 0))
      }).pipe(Effect.provide(wasmLayer({ threads: 1 }))),
    )
  }
})
