import type { Scheme } from "../scheme.ts"
import { groupWidth } from "../scheme.ts"
import { gridOf, groupsOf, nearestOf } from "./grid.ts"
import type { Mutable, Rows } from "./matrix.ts"

/**
 * Rounds each weight to the nearest of its group's grid, over the range of the group.
 *
 * @example
 * ```ts
 * import { Naive } from "@espalier/quantization"
 *
 * const scheme = { bits: 2, group: "channel", symmetric: false } as const
 * console.log(Naive.rtn([[-1, 0.2, 0.9, 2]], scheme)) // [ [ -1, 0, 1, 2 ] ]
 * ```
 */
export const rtn = (weight: Rows, scheme: Scheme): Mutable =>
  weight.map((row) =>
    groupsOf(row, groupWidth(scheme, row.length)).flatMap((group) => {
      const grid = gridOf(group, scheme)
      return group.map((w) => nearestOf(w, grid, scheme.bits))
    }),
  )
