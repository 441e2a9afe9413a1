import { nothing } from "@espalier/calibration"
import { Effect } from "effect"
import type { RangeSearch } from "./grid.ts"
import { checkGrid, gridOf, quantizeOnGrid } from "./grid.ts"
import { floatsOf } from "./quantized_weight.ts"
import type { Quantizer } from "./quantizer.ts"
import { groupCount } from "./scheme.ts"

/** Options of {@link rtn}. */
export interface RtnOptions {
  /** How the range of a group is chosen; `min-max`. */
  readonly range?: RangeSearch
}

/** Rounds each weight to the nearest of its group's grid. Needs no text. */
export const rtn = ({ range = "min-max" }: RtnOptions = {}): Quantizer => ({
  name: "rtn",
  statistic: nothing,
  quantize: Effect.fnUntraced(function* ({ linear, weight, scheme }) {
    const weights = floatsOf(weight)
    const [, inputs] = linear.shape
    const grid = gridOf(weights, inputs, scheme, range)
    const problem = checkGrid(grid, linear.path, groupCount(scheme, inputs))
    if (problem !== undefined) return yield* problem
    return quantizeOnGrid(weights, linear.shape, scheme, grid)
  }),
})
