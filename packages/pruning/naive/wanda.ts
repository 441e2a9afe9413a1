import { removedCount } from "../masks.ts"
import type { Sparsity } from "../sparsity.ts"
import type { Rows } from "./matrix.ts"
import { remove, smallest, smallestOfGroups } from "./smallest.ts"

/**
 * Removes the weights with the smallest |W_ij| · ‖X_j‖₂ of each output; nothing else changes.
 * `hessian` is Σ x xᵀ, [inputs, inputs]: ‖X_j‖₂² is on its diagonal.
 *
 * Source: Sun et al. 2024, "A simple and effective pruning approach for large language models".
 */
export const wanda = (weight: Rows, hessian: Rows, sparsity: Sparsity): Array<Array<number>> => {
  // Equation 1: S_ij = |W_ij| · ‖X_j‖₂.
  const scores = weight.map((row) => row.map((w, j) => Math.abs(w) * Math.sqrt(hessian[j][j])))
  // Section 3, comparison group: each output by itself.
  const removed = scores.map((row) =>
    sparsity.kind === "structured"
      ? smallestOfGroups(row, sparsity.keep, sparsity.of)
      : smallest(row, removedCount(row.length, sparsity.fraction)),
  )
  return remove(weight, removed)
}
