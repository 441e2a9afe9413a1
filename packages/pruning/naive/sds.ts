import type { Sparsity } from "../sparsity.ts"
import { magnitude } from "./magnitude.ts"
import { maskedLeastSquares } from "./masked_least_squares.ts"
import type { Mutable, Rows } from "./matrix.ts"
import { copy, multiply, squaredError, subtract, zeros } from "./matrix.ts"

/** Options of the plain SDS. The paper has 200 steps, a rate of 0.1 and λ₁ : λ₂ = 0.1; all else is ours. */
export interface SdsOptions {
  /** The one-shot pruner of both sparse steps, such as the plain `wanda` or `sparseGpt`. */
  readonly start: (weight: Rows, hessian: Rows, sparsity: Sparsity) => Rows
  /** Adam steps; 200. */
  readonly steps?: number
  /** 0.01. */
  readonly learningRate?: number
  /** λ₁, beside a Hessian whose mean diagonal is 1; 0.01. */
  readonly absolutePenalty?: number
  /** λ₂; ten times λ₁. */
  readonly squaredPenalty?: number
  /** Which weights the second sparse step removes: by the one-shot pruner, or the smallest; `pruner`. */
  readonly secondMask?: "pruner" | "magnitude"
  /** `soft mask` is what is published: gradient steps, the mask chosen anew in each; `least squares`. */
  readonly adjustment?: "least squares" | "soft mask"
  /** Keeps the first zeros where they end with the smaller error; false. */
  readonly keepBest?: boolean
}

/** Adam (Kingma & Ba 2015, algorithm 1), with its usual constants. */
const descend = (
  start: Rows,
  gradientAt: (weight: Rows) => Rows,
  { steps = 200, learningRate = 0.01 }: Pick<SdsOptions, "steps" | "learningRate">,
): Mutable => {
  const w = copy(start)
  const [first, second] = [zeros(w.length, w[0].length), zeros(w.length, w[0].length)]
  for (let t = 1; t <= steps; t++) {
    for (const [i, row] of gradientAt(w).entries()) {
      for (const [j, g] of row.entries()) {
        first[i][j] = 0.9 * first[i][j] + 0.1 * g
        second[i][j] = 0.999 * second[i][j] + 0.001 * g * g
        const [m, v] = [first[i][j] / (1 - 0.9 ** t), second[i][j] / (1 - 0.999 ** t)]
        w[i][j] -= (learningRate * m) / (Math.sqrt(v) + 1e-8)
      }
    }
  }
  return w
}

/** H divided by the mean of its diagonal: penalties and rates then mean the same for every layer. */
const normalised = (hessian: Rows): Mutable => {
  const mean = hessian.reduce((sum, row, j) => sum + row[j], 0) / hessian.length
  return hessian.map((row) => row.map((value) => value / (mean || 1)))
}

/** The gradient of ‖(W − W₀) X‖². */
const slope = (weight: Rows, target: Rows, h: Rows): Mutable =>
  multiply(subtract(weight, target), h).map((row) => row.map((value) => 2 * value))

/**
 * Step 2: W_d = argmin ‖(W_d − W) X‖² + λ₁‖W_d‖₁ + λ₂‖W_d‖₂², from the sparse weights on and without
 * a mask, so that pruned connections come back small.
 */
export const denseStep = (
  sparse: Rows,
  weight: Rows,
  hessian: Rows,
  options: Omit<SdsOptions, "start">,
): Mutable => {
  const { absolutePenalty = 0.01, squaredPenalty = 10 * absolutePenalty } = options
  const h = normalised(hessian)
  const gradient = (wd: Rows) =>
    slope(wd, weight, h).map((row, i) =>
      row.map((g, j) => g + absolutePenalty * Math.sign(wd[i][j]) + 2 * squaredPenalty * wd[i][j]),
    )
  return descend(sparse, gradient, options)
}

/** Step 3 as published: W = M_soft ⊙ argmin ‖W X − W₀ X‖², M_soft from |W| anew in each step. */
const softMask = (
  sparse: Rows,
  weight: Rows,
  hessian: Rows,
  sparsity: Sparsity,
  options: SdsOptions,
): Mutable => {
  const h = normalised(hessian)
  // Straight through: the gradient of M ⊙ W is given to all of W.
  const through = (w: Rows) => slope(magnitude(w, sparsity), weight, h)
  return magnitude(descend(sparse, through, options), sparsity)
}

/**
 * Sparse–dense–sparse. `weight` is [outputs, inputs], `hessian` Σ x xᵀ, [inputs, inputs], of the
 * inputs that the sparse model gives.
 *
 * Source: Li et al. 2025, "Enhancing one-shot pruned pre-trained language models through
 * sparse-dense-sparse mechanism", COLING.
 */
export const sds = (weight: Rows, hessian: Rows, sparsity: Sparsity, options: SdsOptions) => {
  const { start, secondMask = "pruner", adjustment = "least squares", keepBest = false } = options
  // 1. Sparse.
  const sparse = start(weight, hessian, sparsity)
  // 2. Dense.
  const dense = denseStep(sparse, weight, hessian, options)
  // 3. Sparse: prune again, then adjust to the original dense weights.
  const again =
    secondMask === "pruner" ? start(dense, hessian, sparsity) : magnitude(dense, sparsity)
  const adjusted =
    adjustment === "soft mask"
      ? softMask(again, weight, hessian, sparsity, options)
      : maskedLeastSquares(again, weight, hessian)
  if (!keepBest) return adjusted
  const control = maskedLeastSquares(sparse, weight, hessian)
  const errorOf = (found: Rows) => squaredError(found, weight, hessian)
  return errorOf(adjusted) <= errorOf(control) ? adjusted : control
}
