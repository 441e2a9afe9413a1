import { assert, describe, it } from "@effect/vitest"
import type { HostArray } from "@espalier/tensor"
import { Interpreter, Tensor } from "@espalier/tensor"
import { Effect } from "effect"
import { adamW, clipFactor, globalNorm, sgd } from "./optimizers.ts"
import type { Optimizer } from "./optimizers.ts"
import { warmupCosine } from "./schedules.ts"
import { constant, evaluate, hostNumbers, numbers } from "./testing/evaluate.ts"
import { train } from "./train.ts"

const learningRate = warmupCosine({ peak: 0.05, warmup: 2, steps: 10 })
const start = { matrix: hostNumbers([2, 3], 5), gain: hostNumbers([3], 6) }
const target = hostNumbers([3], 7)

/** Σ (matrix − target)² + Σ gain³, whose gradients are written down below. */
const run = (optimizer: Optimizer, steps: number) =>
  train({
    name: "optimizer",
    parameters: start,
    batch: () => ({ target }),
    loss: ({ matrix, gain }, { target }) =>
      Tensor.add(
        Tensor.sum(Tensor.square(Tensor.sub(matrix, target))),
        Tensor.sum(Tensor.mul(gain, Tensor.square(gain))),
      ),
    optimizer,
    learningRate,
    steps,
  }).pipe(Effect.provide(Interpreter.layer))

const gradientOf = (name: "matrix" | "gain", x: ReadonlyArray<number>) =>
  name === "matrix"
    ? x.map((value, i) => 2 * (value - target.data[i % 3]))
    : x.map((value) => 3 * value * value)

const assertClose = (found: HostArray.HostArray, expected: ReadonlyArray<number>) =>
  found.data.forEach((value, i) => assert.closeTo(value, expected[i], 1e-12))

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
      const { parameters } = yield* run(adamW(), 6)
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
      const { parameters } = yield* run(optimizer, 5)
      assertClose(parameters.matrix, published("matrix", 5, [0.8, 0.9, 1e-3, 0.3]))
      assertClose(parameters.gain, published("gain", 5, [0.8, 0.9, 1e-3, 0]))
      assert.sameMembers(seen, ["gain", "matrix"])
    }),
  )

  it.effect("first moves every parameter by the learning rate, whatever the gradient", () =>
    Effect.gen(function* () {
      const { parameters } = yield* run(adamW({ epsilon: 0 }), 1)
      const gradient = gradientOf("matrix", Array.from(start.matrix.data))
      const expected = gradient.map((g, i) => start.matrix.data[i] - learningRate(1) * Math.sign(g))
      assertClose(parameters.matrix, expected)
    }),
  )
})

describe("sgd", () => {
  it.effect("goes down the gradient", () =>
    Effect.gen(function* () {
      const { parameters } = yield* run(sgd(), 1)
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
