import { Tensor } from "@espalier/tensor"
import type { Scheme } from "./scheme.ts"
import { groupCount, groupWidth, levelsOf } from "./scheme.ts"

type T = Tensor.Tensor

/** What weights are rounded to; every tensor is `f32` [outputs, groups]. */
export interface TracedGrid {
  readonly scales: T
  readonly zeros: T
  /** Multiplies the scales after the codes were chosen (DL-QAT). */
  readonly magnitude?: T
}

const grouped = (weight: T, scheme: Scheme) => {
  const [outputs, inputs] = weight.shape
  const groups = groupCount(scheme, inputs)
  return {
    weight: Tensor.reshape(weight, [outputs, groups, groupWidth(scheme, inputs)]),
    perGroup: (values: T) => Tensor.reshape(values, [outputs, groups, 1]),
  }
}

/**
 * The codes of a weight [outputs, inputs], as `f32`. Rounding has the gradient of doing nothing, and
 * what lies outside the grid has none.
 */
export const tracedCodes = (weight: T, { scales, zeros }: TracedGrid, scheme: Scheme): T => {
  const { weight: parts, perGroup } = grouped(weight, scheme)
  const levels = levelsOf(scheme)
  const places = Tensor.div(parts, perGroup(scales))
  const rounded = Tensor.add(
    Tensor.stopGradient(Tensor.round(places)),
    Tensor.sub(places, Tensor.stopGradient(places)),
  )
  const codes = Tensor.add(rounded, perGroup(zeros))
  const inside = Tensor.and(Tensor.greaterEqual(codes, 0), Tensor.lessEqual(codes, levels))
  const clamped = Tensor.minimum(Tensor.maximum(Tensor.stopGradient(codes), 0), levels)
  return Tensor.reshape(Tensor.where(inside, codes, clamped), weight.shape)
}

/** The weights that codes stand for: (m · s) · (code − zero), in this order. */
export const tracedWeight = (codes: T, grid: TracedGrid, scheme: Scheme): T => {
  const { weight: parts, perGroup } = grouped(codes, scheme)
  const { scales, zeros, magnitude } = grid
  const scale = magnitude === undefined ? scales : Tensor.mul(magnitude, scales)
  const weight = Tensor.mul(perGroup(scale), Tensor.sub(parts, perGroup(zeros)))
  return Tensor.reshape(weight, codes.shape)
}

/** A weight rounded to a grid, in a program that has gradients. */
export const fakeQuantize = (weight: T, grid: TracedGrid, scheme: Scheme): T =>
  tracedWeight(tracedCodes(weight, grid, scheme), grid, scheme)

/** The grid over the range of each group, 0 included, as `gridOf` chooses it on the host. */
export const tracedRange = (
  weight: T,
  scheme: Scheme,
): { readonly scales: T; readonly zeros: T } => {
  const { weight: parts } = grouped(weight, scheme)
  const levels = levelsOf(scheme)
  const low = Tensor.minimum(Tensor.min(parts, [2]), 0)
  const high = Tensor.maximum(Tensor.max(parts, [2]), 0)
  const most = Tensor.maximum(Tensor.neg(low), high)
  const [from, to] = scheme.symmetric ? [Tensor.neg(most), most] : [low, high]
  const range = Tensor.sub(to, from)
  const scales = Tensor.where(Tensor.equal(range, 0), 1, Tensor.div(range, levels))
  const nearest = Tensor.round(Tensor.div(Tensor.neg(from), scales))
  const zeros = scheme.symmetric
    ? Tensor.full(scales.shape, (levels + 1) / 2)
    : Tensor.minimum(Tensor.maximum(nearest, 0), levels)
  return { scales, zeros }
}
