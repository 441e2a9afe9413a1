import { assert, describe, it } from "@effect/vitest"
import { DeviceArray } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { correlatedTokens, draw } from "@espalier/testing"
import { Effect } from "effect"
import { layerError } from "./layer_error.ts"
import { makePrograms } from "./programs.ts"
import { plainHessian, squaredError, toHost } from "./testing/layers.ts"

describe("layerError", () => {
  it.effect("is the share of a layer's outputs that is lost", () =>
    Effect.gen(function* () {
      const programs = yield* makePrograms
      for (const [outputs, inputs] of [
        [1, 1],
        [5, 12],
        [8, 40],
      ]) {
        const [target, weight] = [draw(outputs, inputs, 1), draw(outputs, inputs, 2)]
        const zero = target.map((row) => row.map(() => 0))
        const hessian = plainHessian(correlatedTokens(50, inputs, 3))
        const onDevice = yield* DeviceArray.fromHost(toHost(hessian))
        const errorOf = (rows: typeof weight) =>
          layerError(programs, toHost(rows), toHost(target), onDevice)
        const whole = squaredError(zero, target, hessian)
        assert.closeTo(yield* errorOf(weight), squaredError(weight, target, hessian) / whole, 1e-5)
        assert.strictEqual(yield* errorOf(target), 0)
        assert.closeTo(yield* errorOf(zero), 1, 1e-6)
        const silent = yield* DeviceArray.fromHost(toHost(hessian.map((row) => row.map(() => 0))))
        assert.strictEqual(yield* layerError(programs, toHost(weight), toHost(target), silent), 0)
      }
    }).pipe(Effect.scoped, Effect.provide(wasmLayer({ poison: true, threads: 1 }))),
  )
})
