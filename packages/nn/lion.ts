import { Tensor } from "@espalier/tensor"
import type { Optimizer, ParameterFilter } from "./optimizer.ts"

/** Options of {@link lion}. */
export interface LionOptions {
  /** Share of the momentum in the direction of a step; 0.9. */
  readonly mix?: number
  /** Decay of the momentum; 0.99. */
  readonly momentumDecay?: number
  /** Decoupled weight decay; 0. */
  readonly weightDecay?: number
  /** Which parameters decay; all by default. */
  readonly decays?: ParameterFilter
}

/**
 * Lion (Chen et al. 2023, "Symbolic discovery of optimization algorithms", algorithm 2): every number
 * moves by the learning rate, in the direction of the sign of its momentum. It keeps one array a
 * parameter, and wants a learning rate three to ten times smaller than Adam's and a weight decay as
 * many times larger.
 *
 * @example
 * ```ts
 * import { Optimizers } from "@espalier/nn"
 *
 * console.log(Optimizers.lion({ weightDecay: 1 }).slots) // [ "momentum" ]
 * ```
 */
export const lion = (options: LionOptions = {}): Optimizer => {
  const { mix = 0.9, momentumDecay = 0.99, weightDecay = 0 } = options
  const decays = options.decays ?? (() => true)
  const blend = (momentum: Tensor.Tensor, gradient: Tensor.Tensor, share: number) =>
    Tensor.add(Tensor.mul(momentum, share), Tensor.mul(gradient, 1 - share))
  return {
    name: "lion",
    slots: ["momentum"],
    hyperparameters: (_, learningRate) => ({ learningRate }),
    update: (parameter, gradient, { momentum }, numbers, path) => {
      const direction = Tensor.sign(blend(momentum, gradient, mix))
      const decay = decays(path, parameter.shape) ? weightDecay : 0
      const step = decay === 0 ? direction : Tensor.add(direction, Tensor.mul(parameter, decay))
      return {
        parameter: Tensor.sub(parameter, Tensor.mul(step, numbers["learningRate"])),
        state: { momentum: blend(momentum, gradient, momentumDecay) },
      }
    },
  }
}
