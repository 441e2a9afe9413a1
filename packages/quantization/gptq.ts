import type { GridValues, QuantisationGrid } from "@espalier/calibration"
import { fullHessian, hessianOfInputs, inverseFactor, sweepColumns } from "@espalier/calibration"
import type { GroupRule, Hessian } from "@espalier/calibration"
import { HostArray } from "@espalier/tensor"
import { Effect } from "effect"
import type { Grid, RangeSearch } from "./grid.ts"
import { checkGrid, gridOf, gridOfGroup, quantizeOnGrid } from "./grid.ts"
import { floatsOf } from "./quantized_weight.ts"
import type { LayerProblem, Quantizer } from "./quantizer.ts"
import type { Scheme } from "./scheme.ts"
import { groupCount, GroupWidthMismatch, groupWidth, levelsOf } from "./scheme.ts"

/** Options of {@link gptq}. */
export interface GptqOptions {
  /** Added to the Hessian's diagonal, as a share of its mean; 0.01. */
  readonly damping?: number
  /** Columns that are swept together; 128. Does not change the result but by rounding. */
  readonly blockSize?: number
  /** How the range of a group is chosen; `min-max`. */
  readonly range?: RangeSearch
  /**
   * Goes through the inputs in the order of their squares, largest first, on grids that are chosen
   * before (so that groups stay where formats expect them); false.
   */
  readonly activationOrder?: boolean
  /** Chooses the grids of all groups before the first column is rounded; false. */
  readonly staticGroups?: boolean
  /**
   * Also prunes: N of every M inputs stay, as SparseGPT chooses them; the others become 0. Not together
   * with `activationOrder`, which tears the M inputs apart.
   */
  readonly keep?: GroupRule
}

/** Columns as they lie in the weight, in the order in which they are swept. */
type Order = ReadonlyArray<number>

const identity = (inputs: number): Order => Array.from({ length: inputs }, (_, j) => j)

/** Inputs by falling Σ x²; of equals the first first. */
const bySquares = (squares: Float32Array): Order =>
  identity(squares.length).toSorted((a, b) => squares[b] - squares[a] || a - b)

const reorderColumns = (weights: Float32Array, order: Order): Float32Array => {
  const inputs = order.length
  const result = new Float32Array(weights.length)
  for (let row = 0; row < weights.length; row += inputs) {
    for (let j = 0; j < inputs; j++) result[row + j] = weights[row + order[j]]
  }
  return result
}

/** The opposite of {@link reorderColumns}. */
const restoreColumns = (weights: Float32Array, order: Order): Float32Array => {
  const places = new Array<number>(order.length)
  for (const [j, place] of order.entries()) places[place] = j
  return reorderColumns(weights, places)
}

const reorderHessian = (hessian: Hessian, order: Order): Hessian => {
  const { inputs } = hessian
  const full = fullHessian(hessian)
  const upper = new Float32Array(hessian.upper.length)
  for (let i = 0, at = 0; i < inputs; i++) {
    for (let j = i; j < inputs; j++, at++) upper[at] = full[order[i] * inputs + order[j]]
  }
  return { inputs, upper }
}

/** The grid of each weight of some columns, [columns, outputs], from those of the groups. */
const spread = (
  { scales, zeros }: Grid,
  scheme: Scheme,
  [outputs, inputs]: readonly [number, number],
  columns: ReadonlyArray<number>,
): GridValues => {
  const groups = groupCount(scheme, inputs)
  const width = groupWidth(scheme, inputs)
  const values = {
    scales: new Float32Array(columns.length * outputs),
    zeros: new Float32Array(columns.length * outputs),
  }
  for (const [c, column] of columns.entries()) {
    for (let o = 0; o < outputs; o++) {
      const group = o * groups + Math.floor(column / width)
      values.scales[c * outputs + o] = scales[group]
      values.zeros[c * outputs + o] = zeros[group]
    }
  }
  return values
}

/** Chooses the grid of a group when the sweep reaches it, from what its weights are by then. */
const growing = (
  grid: Grid,
  scheme: Scheme,
  shape: readonly [number, number],
  range: RangeSearch,
): QuantisationGrid => {
  const [outputs, inputs] = shape
  const groups = groupCount(scheme, inputs)
  const width = groupWidth(scheme, inputs)
  return {
    levels: levelsOf(scheme),
    of: Effect.fnUntraced(function* (first, columns, look) {
      const weights = yield* look
      const group = new Float32Array(columns)
      for (let o = 0; o < outputs; o++) {
        for (let c = 0; c < columns; c++) group[c] = weights[c * outputs + o]
        const { scale, zero } = gridOfGroup(group, scheme, range)
        const at = o * groups + first / width
        grid.scales[at] = scale
        grid.zeros[at] = zero
      }
      return spread(
        grid,
        scheme,
        shape,
        Array.from({ length: columns }, (_, c) => first + c),
      )
    }),
  }
}

const fixed = (
  grid: Grid,
  scheme: Scheme,
  shape: readonly [number, number],
  order: Order,
): QuantisationGrid => ({
  levels: levelsOf(scheme),
  of: (first, columns) =>
    Effect.sync(() => spread(grid, scheme, shape, order.slice(first, first + columns))),
})

/** Blocks do not cut through the groups of N:M. */
const wholeGroups = (blockSize: number, { of }: GroupRule = { keep: 1, of: 1 }): number =>
  of * Math.ceil(blockSize / of)

/** The groups of N:M have to fit into a row, and into each group that has a grid of its own. */
const checkKeep =
  ({ of }: GroupRule): NonNullable<Quantizer["check"]> =>
  ({ path, shape: [, inputs] }, scheme) => {
    const width = groupWidth(scheme, inputs)
    if (width % of === 0) return undefined
    const hint = `Keep N of every M inputs with an M that divides ${width}.`
    return new GroupWidthMismatch({ tensor: path, width, group: of, hint })
  }

const quantizeLayer = Effect.fnUntraced(function* (
  { linear, weight, scheme, inputs, programs }: LayerProblem,
  options: GptqOptions,
) {
  const { damping = 0.01, blockSize = 128, range = "min-max", activationOrder = false } = options
  const { path, shape } = linear
  const weights = floatsOf(weight)
  const order = activationOrder ? bySquares(inputs.squares) : identity(shape[1])
  const grown = scheme.group !== "channel" && !activationOrder && options.staticGroups !== true
  const groups = groupCount(scheme, shape[1])
  const grid: Grid = grown
    ? {
        scales: new Float32Array(shape[0] * groups),
        zeros: new Uint8Array(shape[0] * groups),
      }
    : gridOf(weights, shape[1], scheme, range)
  const factor = activationOrder
    ? yield* inverseFactor(reorderHessian(inputs.hessian, order), { layer: path, damping })
    : yield* inputs.factor(damping)
  const dead = new Set(inputs.dead)
  const given = activationOrder ? HostArray.make(shape, reorderColumns(weights, order)) : weight
  const { keep } = options
  const swept = yield* sweepColumns(programs, given, factor, {
    rule: keep === undefined ? { name: "gptq" } : { name: `${keep.keep}:${keep.of}`, group: keep },
    grid: grown ? growing(grid, scheme, shape, range) : fixed(grid, scheme, shape, order),
    blockSize: grown ? groupWidth(scheme, shape[1]) : wholeGroups(blockSize, keep),
    dead: order.flatMap((column, j) => (dead.has(column) ? [j] : [])),
  })
  const problem = checkGrid(grid, path, groups)
  if (problem !== undefined) return yield* problem
  const found = floatsOf(swept.weight)
  const restored = activationOrder ? restoreColumns(found, order) : found
  return quantizeOnGrid(restored, shape, scheme, grid)
})

/**
 * Rounds weights column by column and lets the columns after them make good for it, by the Hessian of
 * the layer's inputs. The grid of a whole row is chosen on the weights as they were; that of a group,
 * on the weights as they are when the group is reached.
 *
 * Throws a `RangeError` where `keep` meets `activationOrder`.
 *
 * Source: Frantar et al. 2023, "GPTQ", algorithm 1.
 */
export const gptq = (options: GptqOptions = {}): Quantizer => {
  const { keep, activationOrder = false } = options
  if (keep !== undefined && activationOrder) {
    throw new RangeError("gptq cannot keep N of every M inputs in activation order")
  }
  return {
    name: "gptq",
    statistic: hessianOfInputs,
    factorOnly: !activationOrder,
    ...(keep === undefined ? {} : { check: checkKeep(keep) }),
    quantize: (problem) => quantizeLayer(problem, options),
  }
}
