import type { Shape } from "@espalier/tensor"
import { Random, Tensor } from "@espalier/tensor"

/** Makes the first value of one parameter. */
export type Initializer = (key: Random.Key, shape: Shape) => Tensor.Tensor

/**
 * Normal numbers with mean 0 and the given standard deviation.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Interpreter, Program, Random, Tensor } from "@espalier/tensor"
 * import { Initializers } from "@espalier/nn"
 *
 * const key = Random.fold(Random.key(0), "query")
 * const values = Program.evaluate(() => Initializers.normal(0.02)(key, [4, 8])).pipe(
 *   Effect.flatMap(Tensor.toArray),
 *   Effect.scoped,
 *   Effect.provide(Interpreter.layer),
 * )
 * console.log((await Effect.runPromise(values)).length) // 32
 * ```
 */
export const normal =
  (deviation: number): Initializer =>
  (key, shape) =>
    Tensor.mul(Random.normal(key, shape), deviation)

/** Normal numbers scaled by 1/√(inputs) of an (out × in) matrix (LeCun et al. 1998). */
export const lecunNormal: Initializer = (key, shape) =>
  normal(1 / Math.sqrt(shape.at(-1) ?? 1))(key, shape)

/** The same number everywhere: 1 for gains, 0 for biases. */
export const constant =
  (value: number): Initializer =>
  (_, shape) =>
    Tensor.full(shape, value)
