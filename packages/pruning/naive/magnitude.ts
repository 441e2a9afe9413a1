import { removedCount } from "../masks.ts"
import type { Sparsity } from "../sparsity.ts"
import type { Rows } from "./matrix.ts"
import { remove, smallest, smallestOfGroups } from "./smallest.ts"

/**
 * Removes the smallest |W| of the whole matrix, or of every M inputs of an output.
 *
 * Source: Han et al. 2015, "Learning both weights and connections".
 *
 * @example
 * ```ts
 * import { Naive, parseSparsity } from "@espalier/pruning"
 *
 * console.log(Naive.magnitude([[1, -4], [3, 2]], parseSparsity(0.5))) // [ [ 0, -4 ], [ 3, 0 ] ]
 * ```
 */
export const magnitude = (weight: Rows, sparsity: Sparsity): Array<Array<number>> => {
  const scores = weight.map((row) => row.map(Math.abs))
  if (sparsity.kind === "structured") {
    const { keep, of } = sparsity
    return remove(
      weight,
      scores.map((row) => smallestOfGroups(row, keep, of)),
    )
  }
  const all = scores.flat()
  const removed = smallest(all, removedCount(all.length, sparsity.fraction))
  const { length: inputs } = weight[0]
  return remove(
    weight,
    weight.map((_, i) => removed.slice(i * inputs, (i + 1) * inputs)),
  )
}
