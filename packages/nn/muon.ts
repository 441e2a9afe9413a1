import { Tensor } from "@espalier/tensor"
import type { AdamWOptions } from "./adamw.ts"
import { adamW } from "./adamw.ts"
import type { Optimizer, ParameterFilter } from "./optimizer.ts"

type T = Tensor.Tensor

/** Options of {@link muon}: its own, and those of AdamW for the parameters that are no matrices. */
export interface MuonOptions extends AdamWOptions {
  /** Decay of the momentum; 0.95. */
  readonly momentumDecay?: number
  /** Newton–Schulz iterations; 5. */
  readonly iterations?: number
  /**
   * Which parameters are orthogonalised: all of two axes by default. Embeddings and heads are better
   * left to AdamW.
   */
  readonly matrices?: ParameterFilter
}

/** The quintic of Jordan et al.: it need not converge to 1, only bring singular values near it fast. */
const [linear, cubic, quintic] = [3.4445, -4.775, 2.0315]

/**
 * A matrix with the singular vectors of `matrix` and singular values of about 1 (0.7 to 1.2), by
 * Newton–Schulz iterations (Jordan et al. 2024): X ← aX + (bA + cA²)X with A = XXᵀ.
 */
export const orthogonalize = (matrix: T, iterations = 5): T => {
  const [rows, columns] = matrix.shape
  const tall = rows > columns
  const wide = tall ? Tensor.transpose(matrix) : matrix
  // Spectral norm at most 1.
  const norm = Tensor.sqrt(Tensor.sum(Tensor.square(wide)))
  let x = Tensor.div(wide, Tensor.add(norm, 1e-7))
  for (let i = 0; i < iterations; i++) {
    const square = Tensor.matmul(x, Tensor.transpose(x))
    const polynomial = Tensor.add(
      Tensor.mul(square, cubic),
      Tensor.mul(Tensor.matmul(square, square), quintic),
    )
    x = Tensor.add(Tensor.mul(x, linear), Tensor.matmul(polynomial, x))
  }
  return tall ? Tensor.transpose(x) : x
}

/**
 * Muon (Jordan et al. 2024): the momentum of a matrix, with Nesterov's look ahead, is made orthogonal
 * before it becomes a step; every other parameter is left to AdamW. Steps of matrices are scaled by
 * 0.2 · √max(rows, columns), the root mean square of an AdamW step (Liu et al. 2025), so that one
 * learning rate and one weight decay fit both.
 *
 * @example
 * ```ts
 * import { Optimizers } from "@espalier/nn"
 *
 * const isHidden = (path: string, shape: ReadonlyArray<number>) =>
 *   shape.length === 2 && path !== "embedding" && path !== "head"
 * const optimizer = Optimizers.muon({ matrices: isHidden, weightDecay: 0.1 })
 * console.log(optimizer.name) // muon
 * ```
 */
export const muon = (options: MuonOptions = {}): Optimizer => {
  const { momentumDecay = 0.95, iterations = 5, weightDecay = 0 } = options
  const decays = options.decays ?? (() => true)
  const wanted = options.matrices ?? (() => true)
  const isMatrix: ParameterFilter = (path, shape) => shape.length === 2 && wanted(path, shape)
  const others = adamW(options)
  return {
    name: "muon",
    // "first" is the momentum of matrices, which have no second moment.
    slots: others.slots,
    slotShape: (slot, path, shape) => (slot === "second" && isMatrix(path, shape) ? [1] : shape),
    hyperparameters: others.hyperparameters,
    update: (parameter, gradient, state, numbers, path) => {
      const { shape } = parameter
      if (!isMatrix(path, shape)) return others.update(parameter, gradient, state, numbers, path)
      const first = Tensor.add(Tensor.mul(state["first"], momentumDecay), gradient)
      const ahead = Tensor.add(gradient, Tensor.mul(first, momentumDecay))
      const scale = 0.2 * Math.sqrt(Math.max(...shape))
      const direction = Tensor.mul(orthogonalize(ahead, iterations), scale)
      const decay = decays(path, shape) ? weightDecay : 0
      const step = decay === 0 ? direction : Tensor.add(direction, Tensor.mul(parameter, decay))
      return {
        parameter: Tensor.sub(parameter, Tensor.mul(step, numbers["learningRate"])),
        state: { first, second: state["second"] },
      }
    },
  }
}
