import type { Scheme } from "../scheme.ts"
import { groupWidth } from "../scheme.ts"
import type { GroupGrid } from "./grid.ts"
import { gridOf, groupsOf, nearestOf } from "./grid.ts"
import type { Mutable, Rows } from "./matrix.ts"
import { copy, dampedOf, inverseFactor } from "./matrix.ts"

/** Options of the plain GPTQ. */
export interface GptqOptions {
  /** As a share of the mean of the Hessian's diagonal; 0.01. */
  readonly damping?: number
  /** Goes through the inputs by falling H_jj; their grids are chosen first. */
  readonly activationOrder?: boolean
  /** Chooses all grids before the first column; otherwise each when its group is reached. */
  readonly staticGroups?: boolean
}

/** Rounded weights, and what that costs. */
export interface GptqResult {
  readonly weight: Mutable
  /** ½ tr((W − Q) H (W − Q)ᵀ) with the damped H, as it adds up column by column. */
  readonly loss: number
}

/**
 * Rounds column by column; the columns that follow make good for each error. `weight` is
 * [outputs, inputs], `hessian` Σ x xᵀ, [inputs, inputs]. There are no blocks: they change how fast it
 * goes, and nothing else.
 *
 * Source: Frantar et al. 2023, "GPTQ", algorithm 1; equation 2 is the update of one weight.
 */
export const gptq = (
  weight: Rows,
  hessian: Rows,
  scheme: Scheme,
  { damping = 0.01, activationOrder = false, staticGroups = activationOrder }: GptqOptions = {},
): GptqResult => {
  const inputs = hessian.length
  const width = groupWidth(scheme, inputs)
  const fixed = staticGroups || activationOrder || width === inputs
  const order = [...hessian.keys()]
  if (activationOrder) order.sort((a, b) => hessian[b][b] - hessian[a][a] || a - b)
  const w = copy(weight)
  // grids[row][group]
  const grids: ReadonlyArray<Array<GroupGrid>> = w.map((row) =>
    groupsOf(row, width).map((group) => gridOf(group, scheme)),
  )
  // Inputs that were never seen have no say, and no weights.
  for (const j of order) if (hessian[j][j] === 0) for (const row of w) row[j] = 0
  // H⁻¹ ← Cholesky(H⁻¹)ᵀ, rows and columns in the order of the sweep
  const damped = dampedOf(hessian, damping)
  const u = inverseFactor(order.map((i) => order.map((j) => damped[i][j])))
  let loss = 0
  for (const [i, j] of order.entries()) {
    const g = Math.floor(j / width)
    for (const [r, row] of w.entries()) {
      if (!fixed && j % width === 0) grids[r][g] = gridOf(row.slice(j, j + width), scheme)
      // Q_j ← quant(W_j), E ← (W_j − Q_j) / [H⁻¹]_jj
      const rounded = nearestOf(row[j], grids[r][g], scheme.bits)
      const error = (row[j] - rounded) / u[i][i]
      loss += error ** 2 / 2
      // W_k ← W_k − E · [H⁻¹]_jk for all k after j
      for (let k = i + 1; k < inputs; k++) row[order[k]] -= error * u[i][k]
      row[j] = rounded
    }
  }
  return { weight: w, loss }
}
