import type {
  BlockBatch,
  BlockParameters,
  Hessian,
  HessianNotInvertible,
  NonFiniteValues,
  Programs,
  Statistic,
} from "@espalier/calibration"
import type { Block, NamedLinear } from "@espalier/models"
import type {
  CompileError,
  Device,
  DeviceArray,
  HostArray,
  Matrix,
  Program,
} from "@espalier/tensor"
import type { Effect, Scope } from "effect"
import type { Sparsity } from "./sparsity.ts"

/** What calibration says about the inputs of a linear. Everything is computed once for all linears that share them. */
export interface LayerInputs {
  /** Calibration windows. */
  readonly samples: number
  /** Σ x² of each input over all tokens. */
  readonly squares: Float32Array
  /** Needs the statistic `hessianOfInputs`, as do all below. */
  readonly hessian: Hessian
  /** The same on the device, [inputs, inputs]; there from its first use on. */
  readonly onDevice: Effect.Effect<DeviceArray.DeviceArray, PruneError, Device | Scope.Scope>
  /** Inputs that no token reached. */
  readonly dead: ReadonlyArray<number>
  /** The upper factor of the inverse of the damped Hessian. */
  readonly factor: (damping: number) => Effect.Effect<Matrix.Matrix, HessianNotInvertible>
}

/** One linear that is to be pruned. */
export interface LayerProblem {
  readonly linear: NamedLinear
  /** The dense weights, [outputs, inputs]. */
  readonly weight: HostArray.HostArray
  readonly sparsity: Sparsity
  readonly inputs: LayerInputs
  readonly programs: Programs
}

/** One block whose linears were pruned one by one, for methods that look at it as a whole. */
export interface BlockProblem {
  readonly block: Block
  /** All parameters of the block before pruning. */
  readonly dense: BlockParameters
  /** Its linears as they were pruned. */
  readonly pruned: BlockParameters
  readonly batches: ReadonlyArray<BlockBatch>
  readonly sparsityOf: (linear: NamedLinear) => Sparsity
  readonly programs: Programs
}

/** What can go wrong in any method. */
export type PruneError = Program.RunError | CompileError | NonFiniteValues | HessianNotInvertible

/** A pruning method. Make one, and give it to `prune` or `pruneStore`. */
export interface Pruner {
  /** As in messages, progress and reports: `sparsegpt`. */
  readonly name: string
  /** What it needs to know about the inputs of a linear. */
  readonly statistic: Statistic
  /** Needs of a Hessian its factor for one damping and nothing else, so that it may be written over. */
  readonly factorOnly?: boolean
  /** Gives the weights of one linear, [outputs, inputs], with at least as many zeros as asked for. */
  readonly prune: (
    problem: LayerProblem,
  ) => Effect.Effect<HostArray.HostArray, PruneError, Device | Scope.Scope>
  /** Then improves the block as a whole; gives the parameters that change. */
  readonly refine?: (
    problem: BlockProblem,
  ) => Effect.Effect<BlockParameters, PruneError, Device | Scope.Scope>
}
