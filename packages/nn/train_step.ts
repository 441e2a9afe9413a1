import type { HostArray } from "@espalier/tensor"
import { Grad, Program, Scalar, Spec, Tensor, Tree } from "@espalier/tensor"
import type { Hyperparameters, Optimizer, ParameterFilter } from "./optimizer.ts"
import { clipFactor, globalNorm } from "./optimizers.ts"
import type { LearningRateSchedule } from "./schedules.ts"

type T = Tensor.Tensor

/** The tree `P` of host arrays with leaves of another kind: specs, tensors, arrays of a device. */
export type ParameterTree<P, A> = Tree.Mapped<P, HostArray.HostArray, A>

/** What a training step needs to know; part of the options of `train`. */
export interface TrainStepOptions<P, B, C = unknown> {
  readonly name: string
  readonly parameters: P
  /** The scalar that is minimised, traced once. */
  readonly loss: NoInfer<
    (
      parameters: ParameterTree<P, T>,
      batch: ParameterTree<B, T>,
      constants: ParameterTree<C, T>,
    ) => T
  >
  /**
   * The batch of a step, counted from 1: the same step always gives the same batch. `part` counts
   * from 0 where the gradients of several batches are accumulated.
   */
  readonly batch: (step: number, part: number) => B
  /** Arrays that the loss reads and nobody trains, such as the weights under an adapter. */
  readonly constants?: C
  readonly optimizer: Optimizer
  readonly learningRate: LearningRateSchedule
  /** Gradients are scaled down to this global norm; not clipped by default. */
  readonly clip?: number
  /**
   * Decay of an exponential moving average of the parameters, such as 0.999; none by default. In the
   * first steps it is (1 + step) / (10 + step) where that is smaller.
   */
  readonly average?: number
  /**
   * `f16`: parameters stay `f32` and are rounded to `f16` for the loss, with gradients scaled out of
   * the reach of `f16`'s underflow; needs a device with `f16`. Default: `f32`.
   */
  readonly precision?: "f32" | "f16"
  /** Which parameters the loss gets in `f16`; by default those of two axes and more. */
  readonly halves?: ParameterFilter
}

/** What one step changes: parameters, and the optimiser's arrays for each of them, by slot. */
export interface TrainStepState<P, A> {
  readonly parameters: ParameterTree<P, A>
  readonly slots: Readonly<Record<string, ParameterTree<P, A>>>
  /** The moving average of the parameters, where there is one. */
  readonly average?: ParameterTree<P, A>
}

/** Inputs of the program of {@link makeTrainStep}. */
export interface TrainStepInputs<P, B, C = unknown> {
  readonly state: TrainStepState<P, Spec>
  readonly batch: ParameterTree<B, Spec>
  /** Where there are constants. */
  readonly constants?: ParameterTree<C, Spec>
  /** What {@link stepNumbers} gives for the step. */
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

/** The specs of the state of a run. */
export const stateSpecs = <P, B, C>({
  parameters,
  optimizer,
  average,
}: TrainStepOptions<P, B, C>): TrainStepState<P, Spec> => {
  const specs = specsOf(parameters)
  const slot = (name: string) =>
    Tree.map<HostArray.HostArray, Spec, P>(parameters, ({ shape, dtype }, path) => {
      return new Spec(optimizer.slotShape?.(name, path, shape) ?? shape, dtype)
    })
  return {
    parameters: specs,
    slots: Object.fromEntries(optimizer.slots.map((name) => [name, slot(name)])),
    ...(average === undefined ? {} : { average: specs }),
  }
}

/** The numbers of a step that its program takes: the optimiser's, and those of average and scaling. */
export const stepNumbers = <P, B, C>(
  options: TrainStepOptions<P, B, C>,
  step: number,
  lossScale = 1,
): Hyperparameters => {
  const { optimizer, learningRate, average, precision } = options
  return {
    ...optimizer.hyperparameters(step, learningRate(step)),
    ...(average === undefined
      ? {}
      : { averageShare: 1 - Math.min(average, (1 + step) / (10 + step)) }),
    ...(precision === "f16" ? { lossScale, inverseScale: 1 / lossScale } : {}),
  }
}

type Numbers = Readonly<Record<string, T>>

const numberSpecs = <P, B, C>(options: TrainStepOptions<P, B, C>) =>
  Object.fromEntries(Object.keys(stepNumbers(options, 1)).map((name) => [name, Scalar]))

const manyAxes: ParameterFilter = (_, shape) => shape.length > 1

/** Loss and gradients, in the order of the parameters' leaves, of one traced batch. */
export const lossAndGradients = <P, B, C>(
  options: TrainStepOptions<P, B, C>,
  given: {
    readonly parameters: ParameterTree<P, T>
    readonly batch: unknown
    readonly constants: unknown
    readonly numbers: Numbers
  },
): { readonly loss: T; readonly gradients: ReadonlyArray<T> } => {
  const { precision = "f32", halves = manyAxes } = options
  const batch = given.batch as ParameterTree<B, T>
  const constants = given.constants as ParameterTree<C, T>
  if (precision === "f32") {
    const { value, grads } = Grad.valueAndGrad((p: ParameterTree<P, T>) =>
      options.loss(p, batch, constants),
    )(given.parameters)
    return { loss: value, gradients: Tree.leaves<T>(grads) }
  }
  const { lossScale, inverseScale } = given.numbers
  let loss: T | undefined
  const grads = Grad.grad((p: ParameterTree<P, T>) => {
    const rounded = Tree.map<T, T, ParameterTree<P, T>>(p, (leaf, path) =>
      halves(path, leaf.shape) ? Tensor.cast(leaf, "f16") : leaf,
    )
    loss = Tensor.cast(options.loss(rounded as ParameterTree<P, T>, batch, constants), "f32")
    return Tensor.mul(loss, lossScale)
  })(given.parameters)
  const gradients = Tree.leaves<T>(grads).map((each) => Tensor.mul(each, inverseScale))
  return { loss: loss!, gradients }
}

/** True where a number is neither infinite nor NaN; comparisons may be compiled as if there were none. */
const isFinite = (x: T): T =>
  Tensor.notEqual(Tensor.and(Tensor.bitcast(x, "u32"), 0x7f800000), 0x7f800000)

/**
 * The state after a step with these gradients. With `guard`, everything stays as it is where the
 * norm or the loss is not finite.
 */
export const updateState = <P, B, C>(
  options: TrainStepOptions<P, B, C>,
  given: {
    readonly state: TrainStepState<P, T>
    readonly gradients: ReadonlyArray<T>
    readonly numbers: Numbers
    readonly guard?: { readonly loss?: T }
  },
): { readonly norm: T; readonly state: TrainStepState<P, T> } => {
  const { optimizer, clip } = options
  const { state, numbers, guard } = given
  const norm = globalNorm(given.gradients)
  const factor = clip === undefined ? undefined : clipFactor(norm, clip)
  const sound =
    guard === undefined
      ? undefined
      : guard.loss === undefined
        ? isFinite(norm)
        : Tensor.and(isFinite(norm), isFinite(guard.loss))
  const change = (next: T, last: T): T =>
    sound === undefined || next === last ? next : Tensor.where(sound, next, last)
  const slotLeaves = optimizer.slots.map((slot) => Tree.leaves<T>(state.slots[slot]))
  const updated = Tree.entries(state.parameters).map(([path, leaf], i) => {
    const last = leaf as T
    const gradient =
      factor === undefined ? given.gradients[i] : Tensor.mul(given.gradients[i], factor)
    const own = Object.fromEntries(optimizer.slots.map((slot, s) => [slot, slotLeaves[s][i]]))
    const next = optimizer.update(last, gradient, own, numbers, path)
    return {
      parameter: change(next.parameter, last),
      slots: optimizer.slots.map((slot) => change(next.state[slot], own[slot])),
    }
  })
  const gather = (leaves: ReadonlyArray<T>) =>
    Tree.fill<HostArray.HostArray, T, P>(options.parameters, leaves)
  const parameters = updated.map(({ parameter }) => parameter)
  const averages =
    state.average === undefined
      ? undefined
      : Tree.leaves<T>(state.average).map((last, i) =>
          change(
            Tensor.add(last, Tensor.mul(Tensor.sub(parameters[i], last), numbers["averageShare"])),
            last,
          ),
        )
  return {
    norm,
    state: {
      parameters: gather(parameters),
      slots: Object.fromEntries(
        optimizer.slots.map((slot, s) => [slot, gather(updated.map(({ slots }) => slots[s]))]),
      ),
      ...(averages === undefined ? {} : { average: gather(averages) }),
    },
  }
}

/** The specs of what a step reads beside its state. */
export const dataSpecs = <P, B, C>(options: TrainStepOptions<P, B, C>) => ({
  batch: specsOf(options.batch(1, 0)),
  ...(options.constants === undefined ? {} : { constants: specsOf(options.constants) }),
  hyperparameters: numberSpecs(options),
})

/**
 * The traced step of {@link train}: loss, gradients, clipping and update in one program. Donate
 * `state` and give the one that comes back to the next step. With `guard`, a step whose loss or
 * gradient is not finite changes nothing.
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
export const makeTrainStep = <P, B, C = unknown>(
  options: TrainStepOptions<P, B, C>,
  { guard = false }: { readonly guard?: boolean } = {},
): Program.Program<TrainStepInputs<P, B, C>, TrainStepOutputs<P>> => {
  const inputs: TrainStepInputs<P, B, C> = { state: stateSpecs(options), ...dataSpecs(options) }
  return Program.make(options.name, inputs, (given): TrainStepOutputs<P> => {
    const state = given.state as TrainStepState<P, T>
    const { batch, constants, hyperparameters: numbers } = given
    const { parameters } = state
    const { loss, gradients } = lossAndGradients(options, { parameters, batch, constants, numbers })
    const checked = guard ? { guard: { loss } } : {}
    return { loss, ...updateState(options, { state, gradients, numbers, ...checked }) }
  })
}
