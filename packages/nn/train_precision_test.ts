import { assert, describe, it } from "@effect/vitest"
import { Device, Interpreter, Tensor } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import * as WebGpu from "@espalier/webgpu"
import { Effect } from "effect"
import { regression, weight } from "./testing/regression.ts"
import { train } from "./train.ts"
import type { TrainError } from "./train_options.ts"
import type { TrainEvent } from "./train_event.ts"

const half = { ...regression, precision: "f16" as const }

/** On a GPU with `f16`; skips with a visible word where there is none. */
const onHalves = (test: Effect.Effect<void, TrainError, Device>) =>
  Effect.gen(function* () {
    const { info } = yield* Device
    if (info.dtypes.includes("f16")) yield* test
    else console.warn(`SKIPPED: ${info.adapter} has no shader-f16`)
  }).pipe(
    Effect.provide(WebGpu.layer()),
    Effect.catchTag("DeviceUnavailable", (error) =>
      Effect.sync(() => console.warn(`SKIPPED: ${error.message}`)),
    ),
  )

describe("precision f16", () => {
  it.effect("is refused by a device without it, with what to do", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(train(half))
      assert.strictEqual(error._tag, "UnsupportedDType")
      assert.match(error.message, /wasm has no f16.*precision "f32"/)
    }).pipe(Effect.provide(wasmLayer({ threads: 1 }))),
  )

  it.effect("in arithmetic that does not round is f32: scaling cancels", () =>
    Effect.gen(function* () {
      const [found, expected] = [
        yield* train({ ...half, steps: 20 }),
        yield* train({ ...regression, steps: 20 }),
      ]
      found.losses.forEach((loss, i) => assert.closeTo(loss, expected.losses[i], 1e-12))
      assert.deepStrictEqual(found.skipped, [])
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("learns on a GPU, with parameters that f16 could not hold", () =>
    onHalves(
      Effect.gen(function* () {
        const { parameters, losses } = yield* train(half)
        assert.isBelow(losses[199], losses[0] / 500)
        const found = parameters.layers[0].w.data
        found.forEach((w, i) => assert.closeTo(w, weight.data[i], 0.05))
        const finer = found.filter((w) => Math.abs(w * 2 ** 14 - Math.round(w * 2 ** 14)) > 1e-3)
        assert.isAbove(finer.length, 0)
        const first = yield* train({ ...regression, steps: 1 })
        assert.notStrictEqual(losses[0], first.losses[0])
        assert.closeTo(losses[0], first.losses[0], 2e-3)
      }),
    ),
  )

  it.effect("skips steps whose gradients overflow until the scale fits, and says so", () =>
    onHalves(
      Effect.gen(function* () {
        const events: Array<TrainEvent> = []
        const found = yield* train({
          ...half,
          steps: 12,
          // Gradients of about 100, times 2¹⁶: too much for f16 until the scale is some 2⁹.
          loss: (p, b) => Tensor.mul(half.loss(p, b, {}), 100),
          onEvent: (event) => Effect.sync(() => void events.push(event)),
        })
        const skipped = events.filter((event) => event._tag === "StepSkipped")
        assert.isAbove(skipped.length, 2)
        assert.deepStrictEqual(
          skipped.map(({ step, lossScale }) => [step, lossScale]),
          found.skipped.map((step, i) => [step, 2 ** (15 - i)]),
        )
        assert.isTrue(found.skipped.every((step) => found.gradientNorms[step - 1] === 0))
        assert.isBelow(found.losses[11], found.losses[0])
        assert.isAbove(found.gradientNorms[11], 0)
      }),
    ),
  )

  it.effect("gives up with NonFinite where no scale helps", () =>
    onHalves(
      Effect.gen(function* () {
        const loss: typeof half.loss = (p, b) => Tensor.mul(half.loss(p, b, {}), 1e7)
        const error = yield* Effect.orDie(Effect.flip(train({ ...half, loss, steps: 40 })))
        if (error._tag !== "NonFinite") return assert.fail(error.message)
        assert.strictEqual(error.node, "the gradient of layers.0.w")
        assert.strictEqual(error.step, 17)
      }),
    ),
  )
})
