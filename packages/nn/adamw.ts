import { Tensor } from "@espalier/tensor"
import type { Optimizer, ParameterFilter } from "./optimizer.ts"

/** Options of {@link adamW}. */
export interface AdamWOptions {
  /** Decay of the first moment; 0.9. */
  readonly firstDecay?: number
  /** Decay of the second moment; 0.999. */
  readonly secondDecay?: number
  /** 1e-8. */
  readonly epsilon?: number
  /** Decoupled weight decay; 0. */
  readonly weightDecay?: number
  /** Which parameters decay; all by default. */
  readonly decays?: ParameterFilter
}

/**
 * Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2); with `weightDecay: 0`
 * it is Adam (Kingma & Ba 2015).
 *
 * @example
 * ```ts
 * import { Optimizers } from "@espalier/nn"
 *
 * // Matrices decay, gains do not.
 * const decays = (_: string, shape: ReadonlyArray<number>) => shape.length > 1
 * const optimizer = Optimizers.adamW({ secondDecay: 0.95, weightDecay: 0.1, decays })
 * console.log(optimizer.slots) // [ "first", "second" ]
 * ```
 */
export const adamW = (options: AdamWOptions = {}): Optimizer => {
  const { firstDecay = 0.9, secondDecay = 0.999, epsilon = 1e-8, weightDecay = 0 } = options
  const decays = options.decays ?? (() => true)
  return {
    name: "adamW",
    slots: ["first", "second"],
    hyperparameters: (step, learningRate) => ({
      learningRate,
      firstCorrection: 1 / (1 - Math.pow(firstDecay, step)),
      secondCorrection: 1 / (1 - Math.pow(secondDecay, step)),
    }),
    update: (parameter, gradient, state, numbers, path) => {
      const first = Tensor.add(
        Tensor.mul(state["first"], firstDecay),
        Tensor.mul(gradient, 1 - firstDecay),
      )
      const second = Tensor.add(
        Tensor.mul(state["second"], secondDecay),
        Tensor.mul(Tensor.square(gradient), 1 - secondDecay),
      )
      const root = Tensor.sqrt(Tensor.mul(second, numbers["secondCorrection"]))
      const direction = Tensor.div(
        Tensor.mul(first, numbers["firstCorrection"]),
        Tensor.add(root, epsilon),
      )
      const decay = decays(path, parameter.shape) ? weightDecay : 0
      const step = decay === 0 ? direction : Tensor.add(direction, Tensor.mul(parameter, decay))
      return {
        parameter: Tensor.sub(parameter, Tensor.mul(step, numbers["learningRate"])),
        state: { first, second },
      }
    },
  }
}
