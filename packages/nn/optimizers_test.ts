import { assert, describe, it } from "@effect/vitest"
import { Tensor } from "@espalier/tensor"
import { Effect } from "effect"
import { clipFactor, globalNorm, sgd } from "./optimizers.ts"
import { constant, evaluate, numbers } from "./testing/evaluate.ts"
import {
  assertClose,
  gradientOf,
  learningRate,
  minimize,
  start,
} from "./testing/optimizer_problem.ts"

describe("sgd", () => {
  it.effect("goes down the gradient", () =>
    Effect.gen(function* () {
      const { parameters } = yield* minimize(sgd(), 1)
      const gradient = gradientOf("gain", Array.from(start.gain.data))
      assertClose(
        parameters.gain,
        gradient.map((g, i) => start.gain.data[i] - learningRate(1) * g),
      )
    }),
  )
})

describe("clipping", () => {
  it.effect("the global norm is that of all gradients together", () =>
    Effect.gen(function* () {
      const [norm] = yield* evaluate(() =>
        globalNorm({ a: constant([2, 3], 1), b: [constant([4], 2), constant([1], 3)] }),
      )
      const all = [...numbers(6, 1), ...numbers(4, 2), ...numbers(1, 3)]
      assert.closeTo(norm, Math.hypot(...all), 1e-12)
    }),
  )

  it.effect("leaves short gradients alone and brings long ones to the limit", () =>
    Effect.gen(function* () {
      const factor = (norm: number) => evaluate(() => clipFactor(Tensor.full([], norm), 2))
      assert.deepStrictEqual(yield* factor(1.9), [1])
      assert.deepStrictEqual(yield* factor(0), [1])
      const [long] = yield* factor(50)
      assert.closeTo(long * 50, 2, 1e-5)
    }),
  )
})
