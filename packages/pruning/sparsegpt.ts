import type { ColumnRule } from "@espalier/calibration"
import { hessianOfInputs, sweepColumns } from "@espalier/calibration"
import { Tensor } from "@espalier/tensor"
import { Effect } from "effect"
import { removedCount } from "./masks.ts"
import type { Pruner } from "./pruner.ts"
import { smallestOfAll } from "./selection.ts"
import type { Sparsity } from "./sparsity.ts"
import { printSparsity } from "./sparsity.ts"

/** Options of {@link sparseGpt}. */
export interface SparseGptOptions {
  /** Added to the Hessian's diagonal, as a share of its mean; 0.01. */
  readonly damping?: number
  /** Columns among which an unstructured mask is chosen; 128. N:M does not depend on it. */
  readonly blockSize?: number
}

/** Which weights SparseGPT removes: those with the smallest (w / U_jj)². */
export const sparseGptRule = (sparsity: Sparsity): ColumnRule => {
  const name = printSparsity(sparsity)
  if (sparsity.kind === "structured") return { name, group: sparsity }
  return {
    name,
    mask: (weights, diagonal) => {
      const [columns, outputs] = weights.shape
      const scores = Tensor.square(Tensor.div(weights, diagonal))
      return smallestOfAll(scores, removedCount(columns * outputs, sparsity.fraction))
    },
  }
}

/** Blocks do not cut through the groups of N:M. */
const wholeGroups = (blockSize: number, sparsity: Sparsity): number =>
  sparsity.kind === "structured" ? sparsity.of * Math.ceil(blockSize / sparsity.of) : blockSize

/**
 * Removes weights column by column and lets the columns after them make good for it, by the Hessian of
 * the layer's inputs. Unstructured sparsity compares over all rows of a block of columns, exactly as
 * many as asked for; N:M is chosen on the weights as they are when their group is reached.
 *
 * Source: Frantar & Alistarh 2023, "SparseGPT", algorithm 1.
 */
export const sparseGpt = (options: SparseGptOptions = {}): Pruner => {
  const { damping = 0.01, blockSize = 128 } = options
  return {
    name: "sparsegpt",
    statistic: hessianOfInputs,
    factorOnly: true,
    prune: Effect.fnUntraced(function* ({ weight, sparsity, inputs, programs }) {
      const factor = yield* inputs.factor(damping)
      const rule = sparseGptRule(sparsity)
      const swept = yield* sweepColumns(programs, weight, factor, {
        rule,
        blockSize: wholeGroups(blockSize, sparsity),
        dead: inputs.dead,
      })
      return swept.weight
    }),
  }
}
