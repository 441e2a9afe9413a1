import type { Sparsity } from "../sparsity.ts"
import { magnitude } from "./magnitude.ts"
import { maskedLeastSquares } from "./masked_least_squares.ts"
import type { Mutable, Rows } from "./matrix.ts"
import { multiply, solve, squaredError, subtract, zeros } from "./matrix.ts"

/** Options of the plain ADMM; the numbers of the paper by default. */
export interface AdmmOptions {
  /** The sparse weights to begin with; the dense ones. */
  readonly start?: (weight: Rows, hessian: Rows, sparsity: Sparsity) => Rows
  /** Added to the diagonal of H, as a share of its mean; 0.01. */
  readonly damping?: number
  /** ρ at first; 0.1. */
  readonly penalty?: number
  /** Iterations of one ρ; 3. */
  readonly iterations?: number
  /** How many ρ at most; 100. */
  readonly rounds?: number
}

/** Each entry by its place. */
const map = (a: Rows, f: (value: number, i: number, j: number) => number): Mutable =>
  a.map((row, i) => row.map((value, j) => f(value, i, j)))

/** How many places are zero in one of them alone. */
const moved = (a: Rows, b: Rows): number =>
  a.flatMap((row, i) => row.filter((value, j) => (value === 0) !== (b[i][j] === 0))).length

/**
 * min ‖(W₀ − W) X‖² where W = D and D is sparse. `weight` is W₀, [outputs, inputs], `hessian` Σ x xᵀ.
 *
 * Source: Meng et al. 2024, "ALPS: Improved optimization for highly sparse one-shot pruning for large
 * language models", algorithm 1 for D, algorithm 2 for the weights that stay.
 */
export const admm = (
  weight: Rows,
  hessian: Rows,
  sparsity: Sparsity,
  options: AdmmOptions = {},
): Rows => {
  const { start, damping = 0.01, iterations = 3, rounds = 100 } = options
  let { penalty = 0.1 } = options
  // Inputs are scaled so that H has a diagonal of 1: W′ = W E⁻¹, H′ = E H E.
  const n = hessian.length
  const mean = hessian.reduce((sum, row, j) => sum + (row[j] || 1), 0) / n
  const damped = map(hessian, (h, i, j) => (i === j ? (h || 1) + damping * mean : h))
  const scale = damped.map((row, j) => Math.sqrt(row[j]))
  const h = map(damped, (value, i, j) => value / (scale[i] * scale[j]))
  const toScaled = (a: Rows) => map(a, (w, _, j) => (hessian[j][j] === 0 ? 0 : w * scale[j]))
  const w0 = toScaled(weight)
  const first = start?.(weight, hessian, sparsity)
  let d: Rows = toScaled(first ?? weight)
  let v: Rows = zeros(weight.length, n)
  const kept = magnitude(
    map(w0, () => 1),
    sparsity,
  )
    .flat()
    .filter((value) => value !== 0).length
  for (let round = 0; round < rounds; round++) {
    const before = d
    for (let t = 0; t < iterations; t++) {
      // W = (W₀ H − V + ρ D) (H + ρ I)⁻¹
      const shifted = map(h, (value, i, j) => (i === j ? value + penalty : value))
      const right = map(multiply(w0, h), (value, i, j) => value - v[i][j] + penalty * d[i][j])
      const w = right.map((row) => solve(shifted, row))
      // D = the nearest sparse weights to W + V / ρ
      d = magnitude(
        map(w, (value, i, j) => value + v[i][j] / penalty),
        sparsity,
      )
      // V = V + ρ (W − D)
      v = map(subtract(w, d), (gap, i, j) => v[i][j] + penalty * gap)
    }
    const change = moved(d, before)
    if (change === 0) break
    penalty *= change >= 0.1 * kept ? 1.3 : change >= 0.005 * kept ? 1.2 : 1.1
  }
  const sparse = map(d, (value, _, j) => value / scale[j])
  const found = maskedLeastSquares(sparse, weight, hessian)
  if (first === undefined) return found
  const control = maskedLeastSquares(first, weight, hessian)
  const errorOf = (rows: Rows) => squaredError(rows, weight, hessian)
  return errorOf(found) <= errorOf(control) ? found : control
}
