import type { HostArray } from "@espalier/tensor"
import { Grad, Program, Scalar, Spec, Tensor, Tree } from "@espalier/tensor"
import type { Optimizer } from "./optimizers.ts"
import { clipFactor, globalNorm } from "./optimizers.ts"
import type { LearningRateSchedule } from "./schedules.ts"

type T = Tensor.Tensor

/** The tree `P` of host arrays with leaves of another kind: specs, tensors, arrays of a device. */
export type ParameterTree<P, A> = Tree.Mapped<P, HostArray.HostArray, A>

/** What a training step needs to know; part of the options of `train`. */
export interface TrainStepOptions<P, B> {
  readonly name: string
  readonly parameters: P
  /** The scalar that is minimised, traced once. */
  readonly loss: NoInfer<(parameters: ParameterTree<P, T>, batch: ParameterTree<B, T>) => T>
  /** The batch of a step, counted from 1: the same step always gives the same batch. */
  readonly batch: (step: number) => B
  readonly optimizer: Optimizer
  readonly learningRate: LearningRateSchedule
  /** Gradients are scaled down to this global norm; not clipped by default. */
  readonly clip?: number
}

/** What one step changes: parameters, and the optimiser's arrays for each of them, by slot. */
export interface TrainStepState<P, A> {
  readonly parameters: ParameterTree<P, A>
  readonly slots: Readonly<Record<string, ParameterTree<P, A>>>
}

/** Inputs of the program of {@link makeTrainStep}. */
export interface TrainStepInputs<P, B> {
  readonly state: TrainStepState<P, Spec>
  readonly batch: ParameterTree<B, Spec>
  /** What `optimizer.hyperparameters` gives for the step. */
  readonly hyperparameters: Readonly<Record<string, Spec>>
}

/** Outputs of the program of {@link makeTrainStep}. */
export interface TrainStepOutputs<P> {
  readonly loss: T
  /** Global norm of the gradients before clipping. */
  readonly norm: T
  readonly state: TrainStepState<P, T>
}

const specsOf = <P>(tree: P) =>
  Tree.map<HostArray.HostArray, Spec, P>(tree, ({ shape, dtype }) => new Spec(shape, dtype))

/**
 * The traced step of {@link train}: loss, gradients, clipping and update in one program. Donate
 * `state` and give the one that comes back to the next step.
 *
 * Throws `ShapeError`, `DTypeError` or `NoGradient` where the loss does not fit together.
 *
 * @example
 * ```ts
 * import { HostArray, Tensor } from "@espalier/tensor"
 * import { makeTrainStep, Optimizers, Schedules } from "@espalier/nn"
 *
 * const step = makeTrainStep({
 *   name: "fit",
 *   parameters: { w: HostArray.make([2], [0, 0]) },
 *   batch: () => ({ y: HostArray.make([2], [1, 2]) }),
 *   loss: ({ w }, { y }) => Tensor.sum(Tensor.square(Tensor.sub(w, y))),
 *   optimizer: Optimizers.sgd(),
 *   learningRate: Schedules.constantRate(0.1),
 * })
 * console.log(step.schedule.steps.length) // kernels of one step
 * ```
 */
export const makeTrainStep = <P, B>(
  options: TrainStepOptions<P, B>,
): Program.Program<TrainStepInputs<P, B>, TrainStepOutputs<P>> => {
  const { optimizer, clip } = options
  const parameters = specsOf(options.parameters)
  const numbers = Object.keys(optimizer.hyperparameters(1, options.learningRate(1)))
  const inputs: TrainStepInputs<P, B> = {
    state: {
      parameters,
      slots: Object.fromEntries(optimizer.slots.map((slot) => [slot, parameters])),
    },
    batch: specsOf(options.batch(1)),
    hyperparameters: Object.fromEntries(numbers.map((name) => [name, Scalar])),
  }
  return Program.make(options.name, inputs, (given): TrainStepOutputs<P> => {
    const { state, batch, hyperparameters } = given
    const { value, grads } = Grad.valueAndGrad((p: ParameterTree<P, T>) =>
      options.loss(p, batch as ParameterTree<B, T>),
    )(state.parameters as ParameterTree<P, T>)
    const norm = globalNorm(grads)
    const factor = clip === undefined ? undefined : clipFactor(norm, clip)
    const gradients = Tree.leaves<T>(grads)
    const slotLeaves = optimizer.slots.map((slot) => Tree.leaves<T>(state.slots[slot]))
    const updated = Tree.entries(state.parameters).map(([path, leaf], i) => {
      const gradient = factor === undefined ? gradients[i] : Tensor.mul(gradients[i], factor)
      const own = Object.fromEntries(optimizer.slots.map((slot, s) => [slot, slotLeaves[s][i]]))
      return optimizer.update(leaf as T, gradient, own, hyperparameters, path)
    })
    const gather = (pick: (updated: ReturnType<Optimizer["update"]>) => T) =>
      Tree.fill<HostArray.HostArray, T, P>(options.parameters, updated.map(pick))
    return {
      loss: value,
      norm,
      state: {
        parameters: gather(({ parameter }) => parameter),
        slots: Object.fromEntries(
          optimizer.slots.map((slot) => [slot, gather((each) => each.state[slot])]),
        ),
      },
    }
  })
}
