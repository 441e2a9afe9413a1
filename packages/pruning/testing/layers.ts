import { makeGatherer, makePrograms, readLayerInputs } from "@espalier/calibration"
import { HostArray } from "@espalier/tensor"
import { Effect } from "effect"
import type { Rows } from "../naive/mod.ts"
import type { Pruner } from "../pruner.ts"
import type { Sparsity } from "../sparsity.ts"
import { parseSparsity } from "../sparsity.ts"
import { makeNumbers, rowsOf } from "./evaluate.ts"

/** Numbers in [-1, 1) that `f32` holds, [rows, columns]. */
export const draw = (rows: number, columns: number, seed: number): Array<Array<number>> => {
  const next = makeNumbers(seed)
  return Array.from({ length: rows }, () =>
    Array.from({ length: columns }, () => Math.fround(next())),
  )
}

/** Tokens whose inputs depend on their neighbours and on each other, of sizes between 0.3 and 3. */
export const correlatedTokens = (count: number, inputs: number, seed: number) => {
  const size = (j: number) => 10 ** (((7 * j) % 5) / 4 - 0.5)
  return draw(count, inputs + 1, seed).map((z) =>
    z.slice(1).map((own, j) => Math.fround(size(j) * (own + 0.6 * z[j] + 0.3 * z[0]))),
  )
}

/** Tokens with H = diag(squares of `sizes`). */
export const separateTokens = (sizes: ReadonlyArray<number>): Rows =>
  sizes.map((size, i) => sizes.map((_, j) => (i === j ? size : 0)))

export const toHost = (rows: Rows): HostArray.HostArray =>
  HostArray.make([rows.length, rows[0].length], rows.flat())

/** The rows of a weight. */
export const toRows = ({ shape, data }: HostArray.HostArray): Rows =>
  rowsOf(Array.from(data), shape[1])

/** What a walk hands to a pruner for one layer that sees these tokens. */
const makeLayerProblem = Effect.fnUntraced(function* (
  pruner: Pruner,
  weight: Rows,
  tokens: Rows,
  sparsity: Sparsity,
) {
  const [outputs, inputs] = [weight.length, weight[0].length]
  const linear = { name: "linear", path: "blocks.0.linear", shape: [outputs, inputs] } as const
  const programs = yield* makePrograms
  const shape = [1, tokens.length, inputs] as const
  const gatherer = yield* makeGatherer(pruner.statistic, shape)
  const gathered = yield* gatherer.add(yield* gatherer.zeros, HostArray.make(shape, tokens.flat()))
  const found = yield* readLayerInputs({ linears: [linear], statistics: gathered }, 1)
  return { linear, weight: toHost(weight), sparsity, inputs: found, programs }
})

/** The rows of a layer after pruning, as a walk would prune it. */
export const pruneLayer = Effect.fnUntraced(function* (
  pruner: Pruner,
  weight: Rows,
  tokens: Rows,
  sparsity: number | string,
) {
  const problem = yield* makeLayerProblem(pruner, weight, tokens, parseSparsity(sparsity))
  return toRows(yield* pruner.prune(problem))
}, Effect.scoped)

/** The largest difference of two matrices, beside the largest number in the second. */
export const differenceOf = (found: Rows, expected: Rows): number => {
  let [difference, largest] = [0, 0]
  for (const [i, row] of expected.entries()) {
    for (const [j, value] of row.entries()) {
      difference = Math.max(difference, Math.abs(found[i][j] - value))
      largest = Math.max(largest, Math.abs(value))
    }
  }
  return largest === 0 ? difference : difference / largest
}

/** True where a weight is 0. */
export const zerosOf = (rows: Rows): ReadonlyArray<ReadonlyArray<boolean>> =>
  rows.map((row) => row.map((value) => value === 0))
