import { Tensor } from "@espalier/tensor"
import { smallestOfAll, smallestOfGroups, smallestOfRow } from "./selection.ts"
import type { Sparsity } from "./sparsity.ts"

type T = Tensor.Tensor

/**
 * How many of `size` weights a fraction removes: ⌊size · fraction⌋, where a product that misses a
 * whole number by rounding alone counts as that number (0.29 of 100 is 29, not 28).
 *
 * @example
 * ```ts
 * removedCount(100, 0.29) // 29
 * ```
 */
export const removedCount = (size: number, fraction: number): number => {
  const exact = size * fraction
  const whole = Math.round(exact)
  return Math.abs(exact - whole) <= 4 * Number.EPSILON * exact ? whole : Math.floor(exact)
}

/** |W| (Han et al. 2015). W is [outputs, inputs]. */
export const magnitudeScore = (weight: T): T => Tensor.abs(weight)

/**
 * |W_ij| · √s_j, with s_j = (1/N) Σ_samples Σ_t x_tj² (Sun et al. 2024, equation 1). `meanSquares`
 * is s, [inputs].
 */
export const wandaScore = (weight: T, meanSquares: T): T =>
  Tensor.mul(Tensor.abs(weight), Tensor.sqrt(meanSquares))

/** True where magnitude pruning removes a weight: unstructured compares over the whole matrix. */
export const magnitudeMask = (weight: T, sparsity: Sparsity): T => {
  const scores = magnitudeScore(weight)
  if (sparsity.kind === "structured") return smallestOfGroups(scores, sparsity.keep, sparsity.of)
  const [rows, columns] = weight.shape as readonly [number, number]
  return smallestOfAll(scores, removedCount(rows * columns, sparsity.fraction))
}

/**
 * True where Wanda removes a weight: unstructured compares within each output row. W is
 * [outputs, inputs], `meanSquares` [inputs].
 *
 * @example
 * ```ts
 * import { Program, Spec } from "@espalier/tensor"
 * import { applyMask, parseSparsity, wandaMask } from "@espalier/pruning"
 *
 * const inputs = { weight: Spec.f32([4, 8]), meanSquares: Spec.f32([8]) }
 * const program = Program.make("prune", inputs, ({ weight, meanSquares }) =>
 *   applyMask(weight, wandaMask(weight, meanSquares, parseSparsity("2:4"))),
 * )
 * ```
 */
export const wandaMask = (weight: T, meanSquares: T, sparsity: Sparsity): T => {
  const scores = wandaScore(weight, meanSquares)
  if (sparsity.kind === "structured") return smallestOfGroups(scores, sparsity.keep, sparsity.of)
  return smallestOfRow(scores, removedCount(weight.shape[1], sparsity.fraction))
}

/** The weight with zeros where the mask is true; the rest keeps its bits. */
export const applyMask = (weight: T, mask: T): T => Tensor.where(mask, 0, weight)
