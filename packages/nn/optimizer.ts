import type { Tensor } from "@espalier/tensor"

type T = Tensor.Tensor

/** Numbers that change from step to step, computed on the host in `f64`. */
export type Hyperparameters = Readonly<Record<string, number>>

/** Chooses parameters by path and shape. */
export type ParameterFilter = (path: string, shape: ReadonlyArray<number>) => boolean

/**
 * An update rule over parameter trees. `hyperparameters` gives the numbers of a step (counted from
 * 1), `update` is the traced rule itself, leaf by leaf.
 */
export interface Optimizer {
  readonly name: string
  /** Names of the state arrays that each parameter has; all start at zero. */
  readonly slots: ReadonlyArray<string>
  /** The shape of a state array; that of its parameter by default. */
  readonly slotShape?: (
    slot: string,
    path: string,
    shape: ReadonlyArray<number>,
  ) => ReadonlyArray<number>
  readonly hyperparameters: (step: number, learningRate: number) => Hyperparameters
  readonly update: (
    parameter: T,
    gradient: T,
    state: Readonly<Record<string, T>>,
    hyperparameters: Readonly<Record<string, T>>,
    path: string,
  ) => { readonly parameter: T; readonly state: Readonly<Record<string, T>> }
}
