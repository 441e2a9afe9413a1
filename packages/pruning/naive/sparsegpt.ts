import { removedCount } from "../masks.ts"
import type { Sparsity } from "../sparsity.ts"
import type { Mutable, Rows } from "./matrix.ts"
import { copy, inverseFactor, zeros } from "./matrix.ts"
import { smallest } from "./smallest.ts"

/** Options of the plain SparseGPT. */
export interface SparseGptOptions {
  /** As a share of the mean of the Hessian's diagonal; 0.01. */
  readonly damping?: number
  /** B, and B_s of an unstructured mask; 128. */
  readonly blockSize?: number
  /** Rounds what stays to what can be stored: joint quantisation. */
  readonly quantise?: (value: number, row: number, column: number) => number
}

/** W and H with dead inputs made harmless and λ added to the diagonal. */
const prepare = (weight: Rows, hessian: Rows, damping: number) => {
  const [w, h] = [copy(weight), copy(hessian)]
  for (let j = 0; j < h.length; j++) {
    if (h[j][j] !== 0) continue
    h[j][j] = 1
    for (const row of w) row[j] = 0
  }
  const lambda = (damping * h.reduce((sum, row, j) => sum + row[j], 0)) / h.length
  for (let j = 0; j < h.length; j++) h[j][j] += lambda
  return { w, h }
}

/** Rows and columns of the mask that is chosen now: the smallest w_c² / [U_cc]². */
const choose = (w: Rows, u: Rows, from: number, to: number, sparsity: Sparsity) => {
  const scores = w.map((row) =>
    row.slice(from, to).map((wc, c) => (wc / u[from + c][from + c]) ** 2),
  )
  if (sparsity.kind === "structured") {
    return scores.map((row) => smallest(row, sparsity.of - sparsity.keep))
  }
  // Over all rows together, and exactly as many as asked for.
  const all = scores.flat()
  const removed = smallest(all, removedCount(all.length, sparsity.fraction))
  return scores.map((row, r) => removed.slice(r * row.length, (r + 1) * row.length))
}

/**
 * Prunes column by column; the columns that follow make good for each error. `weight` is
 * [outputs, inputs], `hessian` Σ x xᵀ, [inputs, inputs]. Comments quote the lines of algorithm 1.
 *
 * Source: Frantar & Alistarh 2023, "SparseGPT", algorithm 1; equation 3 is the update of one weight.
 */
export const sparseGpt = (
  weight: Rows,
  hessian: Rows,
  sparsity: Sparsity,
  { damping = 0.01, blockSize = 128, quantise = (value) => value }: SparseGptOptions = {},
): Mutable => {
  // B_s, and B: blocks do not cut through the groups of N:M.
  const width = sparsity.kind === "structured" ? sparsity.of : blockSize
  const size = width * Math.ceil(blockSize / width)
  const { w, h } = prepare(weight, hessian, damping)
  const inputs = h.length
  // H⁻¹ ← Cholesky(H⁻¹)ᵀ, with H = X Xᵀ + λ I
  const u = inverseFactor(h)
  // M ← 1; here true is what goes.
  const mask: Array<Array<boolean>> = w.map((row) => row.map(() => false))
  for (let i = 0; i < inputs; i += size) {
    const end = Math.min(i + size, inputs)
    // E ← 0
    const e = zeros(w.length, end - i)
    for (let j = i; j < end; j++) {
      // if j mod B_s = 0: M_{j:j+B_s} ← mask of the weights with the largest w_c² / [H⁻¹]_cc²
      if (j % width === 0) {
        const to = Math.min(j + width, inputs)
        const chosen = choose(w, u, j, to, sparsity)
        for (const [r, row] of chosen.entries()) mask[r].splice(j, to - j, ...row)
      }
      for (const [r, row] of w.entries()) {
        // E_{j−i} ← (1 − M_j) · W_j / [H⁻¹]_jj, where what stays may be rounded as well
        const stored = mask[r][j] ? 0 : quantise(row[j], r, j)
        e[r][j - i] = (row[j] - stored) / u[j][j]
        // W_{j:i+B} ← W_{j:i+B} − E_{j−i} · H⁻¹_{j,j:i+B}
        for (let c = j + 1; c < end; c++) row[c] -= e[r][j - i] * u[j][c]
        row[j] = stored
      }
    }
    // W_{i+B:} ← W_{i+B:} − E · H⁻¹_{i:i+B,i+B:}
    for (const [r, row] of w.entries()) {
      for (let c = end; c < inputs; c++) {
        for (let j = i; j < end; j++) row[c] -= e[r][j - i] * u[j][c]
      }
    }
  }
  return w
}
