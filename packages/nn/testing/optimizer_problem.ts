import { assert } from "@effect/vitest"
import type { HostArray } from "@espalier/tensor"
import { Interpreter, Tensor } from "@espalier/tensor"
import { Effect } from "effect"
import type { Optimizer } from "../optimizer.ts"
import { warmupCosine } from "../schedules.ts"
import { train } from "../train.ts"
import { hostNumbers } from "./evaluate.ts"

export const learningRate = warmupCosine({ peak: 0.05, warmup: 2, steps: 10 })
export const start = { matrix: hostNumbers([2, 3], 5), gain: hostNumbers([3], 6) }
const target = hostNumbers([3], 7)

/** Σ (matrix − target)² + Σ gain³ in `f64`, whose gradients are {@link gradientOf}. */
export const minimize = (optimizer: Optimizer, steps: number) =>
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

export const gradientOf = (name: "matrix" | "gain", x: ReadonlyArray<number>) =>
  name === "matrix"
    ? x.map((value, i) => 2 * (value - target.data[i % 3]))
    : x.map((value) => 3 * value * value)

export const assertClose = (
  found: HostArray.HostArray,
  expected: ReadonlyArray<number>,
  tolerance = 1e-12,
) => found.data.forEach((value, i) => assert.closeTo(value, expected[i], tolerance))
