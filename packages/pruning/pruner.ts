import type { BlockParameters, LinearProblem, MethodError, Statistic } from "@espalier/calibration"
import type { BlockProblem as ChangedBlock } from "@espalier/calibration"
import type { NamedLinear } from "@espalier/models"
import type { Device, HostArray } from "@espalier/tensor"
import type { Effect, Scope } from "effect"
import type { Sparsity } from "./sparsity.ts"

/** One linear that is to be pruned. */
export interface LayerProblem extends LinearProblem {
  readonly sparsity: Sparsity
}

/** One block whose linears were pruned one by one, for methods that look at it as a whole. */
export interface BlockProblem extends Omit<ChangedBlock, "changed"> {
  /** Its linears as they were pruned. */
  readonly pruned: BlockParameters
  readonly sparsityOf: (linear: NamedLinear) => Sparsity
}

/** What can go wrong in any method. */
export type PruneError = MethodError

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
