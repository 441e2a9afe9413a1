import { Tensor, Tree } from "@espalier/tensor"
import type { Optimizer } from "./optimizer.ts"

export { adamW } from "./adamw.ts"
export { lion } from "./lion.ts"
export { muon, orthogonalize } from "./muon.ts"

type T = Tensor.Tensor

/** Plain gradient descent. */
export const sgd = (): Optimizer => ({
  name: "sgd",
  slots: [],
  hyperparameters: (_, learningRate) => ({ learningRate }),
  update: (parameter, gradient, _, numbers) => ({
    parameter: Tensor.sub(parameter, Tensor.mul(gradient, numbers["learningRate"])),
    state: {},
  }),
})

/** √(Σ g²) over a whole tree of gradients. */
export const globalNorm = (gradients: unknown): T => {
  const squares = Tree.leaves<T>(gradients).map((g) => Tensor.sum(Tensor.square(g)))
  return Tensor.sqrt(squares.reduce((total, square) => Tensor.add(total, square)))
}

/** The factor that brings gradients of this norm down to at most `limit`. */
export const clipFactor = (norm: T, limit: number): T =>
  Tensor.minimum(Tensor.div(limit, Tensor.add(norm, 1e-6)), 1)
