import { makeLayerProblem, toRows } from "@espalier/test-models"
import { Effect } from "effect"
import type { Rows } from "../naive/mod.ts"
import type { Pruner } from "../pruner.ts"
import { parseSparsity } from "../sparsity.ts"

/** The rows of a layer after pruning, as a walk would prune it. */
export const pruneLayer = Effect.fnUntraced(function* (
  pruner: Pruner,
  weight: Rows,
  tokens: Rows,
  sparsity: number | string,
) {
  const problem = yield* makeLayerProblem(pruner.statistic, weight, tokens)
  return toRows(yield* pruner.prune({ ...problem, sparsity: parseSparsity(sparsity) }))
}, Effect.scoped)

/** True where a weight is 0. */
export const zerosOf = (rows: Rows): ReadonlyArray<ReadonlyArray<boolean>> =>
  rows.map((row) => row.map((value) => value === 0))
