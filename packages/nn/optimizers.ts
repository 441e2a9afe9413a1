import { Tensor, Tree } from "@espalier/tensor"

type T = Tensor.Tensor

/** Numbers that change from step to step, computed on the host in `f64`. */
export type Hyperparameters = Readonly<Record<string, number>>

/**
 * An update rule over parameter trees. `init` makes the state of a parameter, `hyperparameters` the
 * numbers of a step (counted from 1), `update` the traced rule itself, leaf by leaf.
 */
export interface Optimizer {
  readonly name: string
  /** Names of the state arrays that each parameter has; all start at zero. */
  readonly slots: ReadonlyArray<string>
  readonly hyperparameters: (step: number, learningRate: number) => Hyperparameters
  readonly update: (
    parameter: T,
    gradient: T,
    state: Readonly<Record<string, T>>,
    hyperparameters: Readonly<Record<string, T>>,
    path: string,
  ) => { readonly parameter: T; readonly state: Readonly<Record<string, T>> }
}

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
  /** Which parameters decay, by path and shape; all by default. */
  readonly decays?: (path: string, shape: ReadonlyArray<number>) => boolean
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
