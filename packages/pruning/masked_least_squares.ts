import type { MaskedLeastSquaresOptions } from "@espalier/calibration"
import { hessianOfInputs, maskedLeastSquares as solve } from "@espalier/calibration"
import { Effect } from "effect"
import type { Pruner } from "./pruner.ts"

/** Options of {@link maskedLeastSquares}. */
export interface MaskedLeastSquaresPrunerOptions extends MaskedLeastSquaresOptions {
  /** The one-shot pruner whose zeros are kept. */
  readonly start: Pruner
}

/**
 * Keeps the zeros of a one-shot pruner and refits all other weights of each row to the dense layer:
 * the best that these zeros allow by the layer's own measure, and so the control for every method that
 * does more.
 */
export const maskedLeastSquares = (options: MaskedLeastSquaresPrunerOptions): Pruner => {
  const { start, ...solver } = options
  return {
    name: `masked-least-squares of ${start.name}`,
    statistic: hessianOfInputs,
    prune: Effect.fnUntraced(function* (problem) {
      const pruned = yield* start.prune(problem)
      const { weight, inputs, programs } = problem
      return yield* solve(programs, pruned, weight, yield* inputs.onDevice, solver)
    }),
  }
}
