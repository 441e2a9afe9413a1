import { HostArray, Matrix } from "@espalier/tensor"
import type { Rows } from "@espalier/testing"
import type { Hessian } from "../hessian.ts"

/** Σ x xᵀ of tokens, [tokens, inputs], by plain loops. */
export const plainHessian = (tokens: Rows): Array<Array<number>> => {
  const inputs = tokens[0].length
  const h = Array.from({ length: inputs }, () => new Array<number>(inputs).fill(0))
  for (const x of tokens) {
    for (let i = 0; i < inputs; i++) for (let j = 0; j < inputs; j++) h[i][j] += x[i] * x[j]
  }
  return h
}

/** A Hessian as a walk gathers it. */
export const toHessian = (rows: Rows): Hessian => ({
  inputs: rows.length,
  upper: Float32Array.from(rows.flatMap((row, i) => row.slice(i))),
})

export const toHost = (rows: Rows): HostArray.HostArray =>
  HostArray.make([rows.length, rows[0].length], rows.flat())

export const toRows = (values: ArrayLike<number>, columns: number): Rows =>
  Array.from({ length: values.length / columns }, (_, i) =>
    Array.from({ length: columns }, (__, j) => values[i * columns + j]),
  )

export const turned = (rows: Rows): Rows => rows[0].map((_, j) => rows.map((row) => row[j]))

/** The upper factor of the inverse of the damped Hessian, as rows. */
export const plainFactor = (hessian: Rows, damping: number): Rows => {
  const n = hessian.length
  const mean = hessian.reduce((sum, row, j) => sum + row[j], 0) / n
  const damped = hessian.map((row, i) => row.map((h, j) => (i === j ? h + damping * mean : h)))
  return toRows(Matrix.inverseFactor(Matrix.make(n, n, damped.flat())).data, n)
}

/** (w − w₀)ᵀ H (w − w₀) over all rows. */
export const squaredError = (weight: Rows, target: Rows, hessian: Rows): number => {
  let sum = 0
  for (const [r, row] of weight.entries()) {
    const left = row.map((w, j) => w - target[r][j])
    for (const [i, a] of left.entries())
      for (const [j, b] of left.entries()) sum += a * b * hessian[i][j]
  }
  return sum
}

/** What the sweep of one weight [outputs, inputs] is told. */
export interface PlainRule {
  /** True where a weight goes, [outputs, inputs]. */
  readonly removed?: ReadonlyArray<ReadonlyArray<boolean>>
  /** N kept of M, by (w / U_jj)² when the group is reached. */
  readonly group?: { readonly keep: number; readonly of: number }
  readonly quantise?: (value: number, column: number) => number
}

/**
 * The loop of GPTQ and SparseGPT without blocks (Frantar et al. 2023, algorithm 1 with B = all columns):
 * weights, and the errors e of each column, both [outputs, inputs].
 */
export const plainSweep = (weight: Rows, u: Rows, rule: PlainRule) => {
  const { group, quantise = (value: number) => value } = rule
  const w = weight.map((row) => [...row])
  const errors = weight.map((row) => row.map(() => 0))
  const removed = weight.map((row, r) => row.map((_, j) => rule.removed?.[r][j] ?? false))
  for (let j = 0; j < u.length; j++) {
    for (const [r, row] of w.entries()) {
      if (group !== undefined && j % group.of === 0) {
        const scores = row.slice(j, j + group.of).map((value, i) => (value / u[j + i][j + i]) ** 2)
        const order = scores.map((_, i) => i).sort((a, b) => scores[a] - scores[b] || a - b)
        for (const [rank, i] of order.entries()) removed[r][j + i] = rank < group.of - group.keep
      }
      const stored = quantise(removed[r][j] ? 0 : row[j], j)
      const error = (row[j] - stored) / u[j][j]
      for (let c = j + 1; c < u.length; c++) row[c] -= error * u[j][c]
      row[j] = stored
      errors[r][j] = error
    }
  }
  return { weight: w, errors }
}
