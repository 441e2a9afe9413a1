import type { Mutable, Rows } from "./matrix.ts"
import { dot, solve } from "./matrix.ts"

/**
 * The best weights that the zeros of `pruned` allow: each row solves its normal equations by Cholesky.
 * Weights are [outputs, inputs], `hessian` is Σ x xᵀ, [inputs, inputs]. Throws a `RangeError` where
 * the inputs that stay depend on each other: there is no single best then.
 *
 * Source: Frantar & Alistarh 2023, "SparseGPT", equation 2, with the whole dense row as the target.
 */
export const maskedLeastSquares = (pruned: Rows, target: Rows, hessian: Rows): Mutable =>
  pruned.map((row, r) => {
    const kept = [...row.keys()].filter((j) => row[j] !== 0)
    if (kept.length === 0) return [...row]
    // w_K = (X_K X_Kᵀ)⁻¹ X_K (w₀ X)ᵀ
    const gram = kept.map((i) => kept.map((j) => hessian[i][j]))
    const found = solve(
      gram,
      kept.map((i) => dot(hessian[i], target[r])),
    )
    const result = row.map(() => 0)
    for (const [at, j] of kept.entries()) result[j] = found[at]
    return result
  })
