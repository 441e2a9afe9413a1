import { Tensor } from "@espalier/tensor"
import { smallestOfAll, smallestOfGroups, smallestOfRow } from "./selection.ts"
import type { Sparsity } from "./sparsity.ts"

type T = Tensor.Tensor

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
  return smallestOfAll(scores, Math.floor(rows * columns * sparsity.fraction))
}

/** True where Wanda removes a weight: unstructured compares within each output row. */
export const wandaMask = (weight: T, meanSquares: T, sparsity: Sparsity): T => {
  const scores = wandaScore(weight, meanSquares)
  if (sparsity.kind === "structured") return smallestOfGroups(scores, sparsity.keep, sparsity.of)
  return smallestOfRow(scores, Math.floor(weight.shape[1] * sparsity.fraction))
}

/** The weight with zeros where the mask is true. */
export const applyMask = (weight: T, mask: T): T => Tensor.where(mask, 0, weight)
