import { nothing } from "@espalier/calibration"
import { Effect } from "effect"
import type { GroupGrid } from "./grid.ts"
import { checkGrid, codeOf, gridOf, quantizeOnGrid } from "./grid.ts"
import { floatsOf } from "./quantized_weight.ts"
import type { Quantizer } from "./quantizer.ts"
import { clampCode, roundToEven } from "./rounding.ts"
import type { Scheme } from "./scheme.ts"
import { groupCount, groupWidth, levelsOf } from "./scheme.ts"

/** Options of {@link hqq}; the numbers of the paper's code by default. */
export interface HqqOptions {
  /** p of the norm that is minimised, above 0, at most 1; 0.7. */
  readonly norm?: number
  /** β at first: the larger, the less an error counts as an outlier; 10. */
  readonly penalty?: number
  /** κ, by which β grows with each iteration; 1.01. */
  readonly growth?: number
  /** 20. */
  readonly iterations?: number
}

/** The proximal step of |x|^p: errors that are outliers, and 0 for all others. */
const shrink = (error: number, norm: number, penalty: number): number =>
  Math.sign(error) * Math.max(0, Math.abs(error) - Math.abs(error) ** (norm - 1) / penalty)

/** Σ |ŵ − w|^p of a group. */
const lossOf = (weights: Float32Array, grid: GroupGrid, levels: number, norm: number): number => {
  let sum = 0
  for (const weight of weights) {
    const rounded = Math.fround(grid.scale * (codeOf(weight, grid, levels) - grid.zero))
    sum += Math.abs(rounded - weight) ** norm
  }
  return sum
}

/**
 * Improves the grid of one group. Errors are taken in steps of the grid, so that the result does not
 * depend on how large the weights are.
 */
const improve = (
  weights: Float32Array,
  start: GroupGrid,
  { bits, symmetric }: Scheme,
  { norm = 0.7, penalty = 10, growth = 1.01, iterations = 20 }: HqqOptions,
): GroupGrid => {
  const levels = levelsOf({ bits })
  let [best, least] = [start, lossOf(weights, start, levels, norm)]
  let { scale, zero } = start
  for (let t = 0; t < iterations; t++) {
    const beta = penalty * growth ** t
    let [zeros, products, squares] = [0, 0, 0]
    for (const weight of weights) {
      const place = weight / scale
      const code = clampCode(roundToEven(place + zero), levels)
      const step = code - zero
      // What is no outlier of this weight: the place that the grid is fitted to.
      const target = place - shrink(place - step, norm, beta)
      zeros += code - target
      products += target * step
      squares += step * step
    }
    if (!symmetric) zero = zeros / weights.length
    if (squares > 0 && products > 0) scale *= products / squares
    const rounded = { scale: Math.fround(scale), zero: clampCode(roundToEven(zero), levels) }
    const loss = lossOf(weights, rounded, levels, norm)
    if (loss < least) [best, least] = [rounded, loss]
  }
  return best
}

/**
 * Rounds to grids that minimise Σ |ŵ − w|^p, p < 1, by half-quadratic steps: what is an outlier among
 * the errors is set aside, and the grid is fitted to the rest. Needs no text.
 *
 * Zero points are whole numbers in the end, as formats hold them; the scale is fitted in the same way
 * (with the scale of the whole range, whole zero points have nothing to gain). A grid that loses more
 * than the min–max one is not taken.
 *
 * Source: Badri & Shaji 2023, "Half-quadratic quantization of large machine learning models".
 */
export const hqq = (options: HqqOptions = {}): Quantizer => ({
  name: "hqq",
  statistic: nothing,
  quantize: Effect.fnUntraced(function* ({ linear, weight, scheme }) {
    const weights = floatsOf(weight)
    const [, inputs] = linear.shape
    const width = groupWidth(scheme, inputs)
    const grid = gridOf(weights, inputs, scheme)
    for (const [g, scale] of grid.scales.entries()) {
      const group = weights.subarray(g * width, (g + 1) * width)
      const found = improve(group, { scale, zero: grid.zeros[g] }, scheme, options)
      grid.scales[g] = found.scale
      grid.zeros[g] = found.zero
    }
    const problem = checkGrid(grid, linear.path, groupCount(scheme, inputs))
    if (problem !== undefined) return yield* problem
    return quantizeOnGrid(weights, linear.shape, scheme, grid)
  }),
})
