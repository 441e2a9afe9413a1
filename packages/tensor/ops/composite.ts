/** Functions made of rows of the op table: nothing here is known to a device. */
import type { DType } from "../dtype.ts"
import type { Shape } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import { broadcastTo, expandDims } from "./movement.ts"
import type { Operand } from "./pointwise.ts"
import {
  add,
  cast,
  div,
  equal,
  erf,
  exp,
  log,
  maximum,
  minimum,
  mul,
  sqrt,
  stopGradient,
  sub,
  tanh,
} from "./pointwise.ts"
import { max, sum } from "./reduction.ts"
import { iota, scalar } from "./source.ts"

/** A tensor of one number. */
export const full = (shape: Shape, value: number, dtype: DType = "f32"): Tensor =>
  broadcastTo(scalar(value, dtype), shape)
/** A tensor of zeros. */
export const zeros = (shape: Shape, dtype: DType = "f32"): Tensor => full(shape, 0, dtype)
/** A tensor of ones. */
export const ones = (shape: Shape, dtype: DType = "f32"): Tensor => full(shape, 1, dtype)
/** x², elementwise. */
export const square = (x: Tensor): Tensor => mul(x, x)
/** 1/√x, elementwise. */
export const rsqrt = (x: Tensor): Tensor => div(1, sqrt(x))
/** x limited to `[low, high]`. */
export const clip = (x: Tensor, low: Operand, high: Operand): Tensor =>
  minimum(maximum(x, low), high)
/** max(x, 0). */
export const relu = (x: Tensor): Tensor => maximum(x, 0)
/** 1 / (1 + e⁻ˣ), written so that nothing overflows. */
export const sigmoid = (x: Tensor): Tensor => mul(add(tanh(mul(x, 0.5)), 1), 0.5)
/** x · sigmoid(x). */
export const silu = (x: Tensor): Tensor => mul(x, sigmoid(x))
/** x · Φ(x), with the exact normal distribution. */
export const gelu = (x: Tensor): Tensor => mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), 1))
/** log Σ eˣ along `axis`, shifted by the maximum. */
export const logSumExp = (x: Tensor, axis = -1): Tensor => {
  const shift = stopGradient(max(x, [axis], { keepDims: true }))
  return add(log(sum(exp(sub(x, shift)), [axis], { keepDims: true })), shift)
}
/** eˣ / Σ eˣ along `axis`, shifted by the maximum. */
export const softmax = (x: Tensor, axis = -1): Tensor => {
  const shifted = exp(sub(x, stopGradient(max(x, [axis], { keepDims: true }))))
  // One division a row: the products are within a unit in the last place of quotients.
  return mul(shifted, div(1, sum(shifted, [axis], { keepDims: true })))
}
/** Logarithm of {@link softmax}. */
export const logSoftmax = (x: Tensor, axis = -1): Tensor => sub(x, logSumExp(x, axis))
/** 1 where the last axis equals the index, 0 elsewhere: shape `[…indices, classes]`. */
export const oneHot = (indices: Tensor, classes: number, dtype: DType = "f32"): Tensor => {
  const rank = indices.shape.length
  const classIndex = iota([...indices.shape, classes], rank)
  return cast(equal(expandDims(indices, rank), classIndex), dtype)
}
