import { Program, Scalar, type Spec, Tensor, Tree } from "@espalier/tensor"
import type { ParameterTree, TrainStepOptions, TrainStepState } from "./train_step.ts"
import { dataSpecs, lossAndGradients, stateSpecs, updateState } from "./train_step.ts"

type T = Tensor.Tensor

type Specs = Readonly<Record<string, Spec>>

/** See {@link makeAccumulatedStep}. */
export interface AccumulatedStep<P, B, C> {
  readonly add: Program.Program<
    {
      readonly parameters: ParameterTree<P, Spec>
      readonly sums: ReadonlyArray<Spec>
      readonly first: Spec
      readonly hyperparameters: Specs
      readonly batch: ParameterTree<B, Spec>
      readonly constants?: ParameterTree<C, Spec>
    },
    { readonly loss: T; readonly sums: ReadonlyArray<T> }
  >
  readonly update: Program.Program<
    {
      readonly state: TrainStepState<P, Spec>
      readonly sums: ReadonlyArray<Spec>
      readonly hyperparameters: Specs
    },
    { readonly norm: T; readonly state: TrainStepState<P, T> }
  >
  /** The sums of gradients, in the order of the parameters' leaves. */
  readonly sums: ReadonlyArray<Spec>
}

/**
 * The step of {@link makeTrainStep} in two programs. `add` adds the gradients of one part of the batch
 * to `sums` (donate them); with `first` above 0 it begins anew. `update` changes the state by the mean
 * over `parts`, and nothing where its norm is not finite.
 */
export const makeAccumulatedStep = <P, B, C>(
  options: TrainStepOptions<P, B, C>,
  parts: number,
): AccumulatedStep<P, B, C> => {
  const specs = stateSpecs(options)
  const { hyperparameters, ...data } = dataSpecs(options)
  const sums = Tree.leaves<Spec>(specs.parameters)
  const { parameters } = specs
  const add = Program.make(
    `${options.name}, gradients`,
    { parameters, sums, first: Scalar, hyperparameters, ...data },
    (given) => {
      const { batch, first, hyperparameters: numbers } = given
      const constants = "constants" in given ? given.constants : undefined
      const parameters = given.parameters as ParameterTree<P, T>
      const found = lossAndGradients(options, { parameters, batch, constants, numbers })
      const begins = Tensor.greater(first, 0)
      return {
        loss: found.loss,
        sums: found.gradients.map((gradient, i) =>
          Tensor.add(Tensor.where(begins, 0, given.sums[i]), gradient),
        ),
      }
    },
  )
  const update = Program.make(
    options.name,
    { state: specs, sums, hyperparameters },
    ({ state, sums, hyperparameters: numbers }) =>
      updateState(options, {
        state: state as TrainStepState<P, T>,
        gradients: sums.map((sum) => Tensor.mul(sum, 1 / parts)),
        numbers,
        guard: {},
      }),
  )
  return { add, update, sums }
}
