import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { lion } from "./lion.ts"
import {
  assertClose,
  gradientOf,
  learningRate,
  minimize,
  start,
} from "./testing/optimizer_problem.ts"

/** Chen et al. 2023, algorithm 2, line by line. */
const published = (
  name: "matrix" | "gain",
  steps: number,
  [beta1, beta2, lambda]: readonly [number, number, number],
) => {
  let theta = Array.from(start[name].data)
  let m = theta.map(() => 0)
  for (let t = 1; t <= steps; t++) {
    const g = gradientOf(name, theta)
    const c = m.map((old, i) => beta1 * old + (1 - beta1) * g[i])
    theta = theta.map((old, i) => old - learningRate(t) * (Math.sign(c[i]) + lambda * old))
    m = m.map((old, i) => beta2 * old + (1 - beta2) * g[i])
  }
  return theta
}

describe("lion", () => {
  it.effect("takes the published steps", () =>
    Effect.gen(function* () {
      const { parameters } = yield* minimize(lion(), 7)
      assertClose(parameters.matrix, published("matrix", 7, [0.9, 0.99, 0]))
      assertClose(parameters.gain, published("gain", 7, [0.9, 0.99, 0]))
    }),
  )

  it.effect("decays the parameters that its filter names, with other constants too", () =>
    Effect.gen(function* () {
      const decays = (_: string, shape: ReadonlyArray<number>) => shape.length > 1
      const optimizer = lion({ mix: 0.6, momentumDecay: 0.7, weightDecay: 0.4, decays })
      const { parameters } = yield* minimize(optimizer, 6)
      assertClose(parameters.matrix, published("matrix", 6, [0.6, 0.7, 0.4]))
      assertClose(parameters.gain, published("gain", 6, [0.6, 0.7, 0]))
      assert.deepStrictEqual(optimizer.slots, ["momentum"])
    }),
  )
})
