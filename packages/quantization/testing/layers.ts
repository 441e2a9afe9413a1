import { makeGatherer, makePrograms, readLayerInputs } from "@espalier/calibration"
import { HostArray } from "@espalier/tensor"
import { Effect } from "effect"
import type { Rows } from "../naive/matrix.ts"
import { dequantize } from "../quantized_weight.ts"
import type { Quantizer } from "../quantizer.ts"
import type { Scheme } from "../scheme.ts"

/** Deterministic numbers in [-1, 1). */
export const makeNumbers = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  }
}

/** Numbers in [-1, 1) that `f32` holds, [rows, columns]. */
export const draw = (rows: number, columns: number, seed: number): Array<Array<number>> => {
  const next = makeNumbers(seed)
  return Array.from({ length: rows }, () =>
    Array.from({ length: columns }, () => Math.fround(next())),
  )
}

/** Weights of which every hundredth is far out. */
export const withOutliers = (outputs: number, inputs: number, seed: number): Rows =>
  draw(outputs, inputs, seed).map((row, r) =>
    row.map((w, j) => Math.fround((r * inputs + j) % 101 === 7 ? 4 * w : 0.3 * w)),
  )

/** Tokens whose inputs depend on their neighbours and on each other, of sizes between 0.3 and 3. */
export const correlatedTokens = (count: number, inputs: number, seed: number): Rows => {
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
  Array.from({ length: shape[0] }, (_, r) =>
    Array.from(data.subarray(r * shape[1], (r + 1) * shape[1])),
  )

/** What a method makes of one layer that sees these tokens, as a walk would ask for it. */
export const quantizeLayer = Effect.fnUntraced(function* (
  quantizer: Quantizer,
  weight: Rows,
  scheme: Scheme,
  tokens: Rows = [weight[0]],
) {
  const [outputs, inputs] = [weight.length, weight[0].length]
  const linear = { name: "linear", path: "blocks.0.linear", shape: [outputs, inputs] } as const
  const programs = yield* makePrograms
  const shape = [1, tokens.length, inputs] as const
  const gatherer = yield* makeGatherer(quantizer.statistic, shape)
  const gathered = yield* gatherer.add(yield* gatherer.zeros, HostArray.make(shape, tokens.flat()))
  const found = yield* readLayerInputs({ linears: [linear], statistics: gathered }, 1)
  return yield* quantizer.quantize({
    linear,
    weight: toHost(weight),
    scheme,
    inputs: found,
    programs,
  })
}, Effect.scoped)

/** The rows that are left of a layer. */
export const roundLayer = (...given: Parameters<typeof quantizeLayer>) =>
  Effect.map(quantizeLayer(...given), (found) => toRows(dequantize(found)))

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
