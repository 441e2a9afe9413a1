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
})
