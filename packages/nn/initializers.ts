import type { Shape } from "@espalier/tensor"
import { Random, Tensor } from "@espalier/tensor"

/** Makes the first value of one parameter. */
export type Initializer = (key: Random.Key, shape: Shape) => Tensor.Tensor

/** Normal numbers of the given standard deviation. */
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
