import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { adamW } from "./adamw.ts"
import {
  assertClose,
  gradientOf,
  learningRate,
  minimize,
  start,
} from "./testing/optimizer_problem.ts"

describe("adamW", () => {
  /** Loshchilov & Hutter 2019, algorithm 2, line by line. */
  const published = (
    name: "matrix" | "gain",
    steps: number,
    [beta1, beta2, epsilon, lambda]: readonly [number, number, number, number],
  ) => {
    let theta = Array.from(start[name].data)
    let m = theta.map(() => 0)
    let v = theta.map(() => 0)
    for (let t = 1; t <= steps; t++) {
      const g = gradientOf(name, theta)
      m = m.map((old, i) => beta1 * old + (1 - beta1) * g[i])
      v = v.map((old, i) => beta2 * old + (1 - beta2) * g[i] ** 2)
      const corrected = m.map((value) => value / (1 - beta1 ** t))
      const spread = v.map((value) => value / (1 - beta2 ** t))
      theta = theta.map(
        (old, i) =>
          old - learningRate(t) * (corrected[i] / (Math.sqrt(spread[i]) + epsilon) + lambda * old),
      )
    }
    return theta
  }

  it.effect("without decay is Adam with its published defaults", () =>
    Effect.gen(function* () {
      const { parameters } = yield* minimize(adamW(), 6)
      assertClose(parameters.matrix, published("matrix", 6, [0.9, 0.999, 1e-8, 0]))
      assertClose(parameters.gain, published("gain", 6, [0.9, 0.999, 1e-8, 0]))
    }),
  )

  it.effect("decays the parameters that its filter names, and no others", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const optimizer = adamW({
        firstDecay: 0.8,
        secondDecay: 0.9,
        epsilon: 1e-3,
        weightDecay: 0.3,
        decays: (path, shape) => {
          seen.push(path)
          return shape.length > 1
        },
      })
      const { parameters } = yield* minimize(optimizer, 5)
      assertClose(parameters.matrix, published("matrix", 5, [0.8, 0.9, 1e-3, 0.3]))
      assertClose(parameters.gain, published("gain", 5, [0.8, 0.9, 1e-3, 0]))
      assert.sameMembers(seen, ["gain", "matrix"])
    }),
  )

  it.effect("first moves every parameter by the learning rate, whatever the gradient", () =>
    Effect.gen(function* () {
      const { parameters } = yield* minimize(adamW({ epsilon: 0 }), 1)
      const gradient = gradientOf("matrix", Array.from(start.matrix.data))
      const expected = gradient.map((g, i) => start.matrix.data[i] - learningRate(1) * Math.sign(g))
      assertClose(parameters.matrix, expected)
    }),
  )
})
