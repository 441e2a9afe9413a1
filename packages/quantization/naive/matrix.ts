/** A matrix as its rows, in `f64`. */
export type Rows = ReadonlyArray<ReadonlyArray<number>>
/** Rows that are written to. */
export type Mutable = Array<Array<number>>

/** A copy that may be written to. */
export const copy = (a: Rows): Mutable => a.map((row) => [...row])

const dot = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): number =>
  a.reduce((sum, value, i) => sum + value * b[i], 0)

/**
 * H = Σ x xᵀ, [inputs, inputs], of tokens x, [tokens, inputs]: all that the methods know of the text.
 *
 * @example
 * ```ts
 * import { Naive } from "@espalier/quantization"
 *
 * console.log(Naive.hessianOf([[1, 2], [0, 1]])) // [ [ 1, 2 ], [ 2, 5 ] ]
 * ```
 */
export const hessianOf = (tokens: Rows): Mutable =>
  tokens[0].map((_, i) => tokens[0].map((__, j) => tokens.reduce((sum, x) => sum + x[i] * x[j], 0)))

/** ‖(W − W₀) X‖² = tr((W − W₀) H (W − W₀)ᵀ) of weights [outputs, inputs]. */
export const squaredError = (weight: Rows, target: Rows, hessian: Rows): number =>
  weight.reduce((sum, row, r) => {
    const left = row.map((w, j) => w - target[r][j])
    return (
      sum +
      dot(
        left,
        hessian.map((column) => dot(column, left)),
      )
    )
  }, 0)

/** H with 1 on the diagonal of dead inputs and `damping` times the mean diagonal added. */
export const dampedOf = (hessian: Rows, damping: number): Mutable => {
  const diagonal = hessian.map((row, j) => row[j] || 1)
  const lambda = (damping * diagonal.reduce((sum, h) => sum + h, 0)) / hessian.length
  return hessian.map((row, i) => row.map((h, j) => (i === j ? diagonal[j] + lambda : h)))
}

/** The lower triangular L with L Lᵀ = a. Throws a `RangeError` where a is not positive definite. */
const cholesky = (a: Rows): Mutable => {
  const l = a.map((row) => row.map(() => 0))
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j <= i; j++) {
      const rest = a[i][j] - dot(l[i].slice(0, j), l[j])
      if (i === j && !(rest > 0)) {
        throw new RangeError(`not positive definite: pivot ${i} is ${rest}`)
      }
      l[i][j] = i === j ? Math.sqrt(rest) : rest / l[j][j]
    }
  }
  return l
}

/** L⁻¹, column by column. */
const invertLower = (l: Rows): Mutable => {
  const inverse = l.map((row) => row.map(() => 0))
  for (let j = 0; j < l.length; j++) {
    for (let i = j; i < l.length; i++) {
      const known = dot(
        l[i].slice(j, i),
        inverse.slice(j, i).map((row) => row[j]),
      )
      inverse[i][j] = ((i === j ? 1 : 0) - known) / l[i][i]
    }
  }
  return inverse
}

/** The upper triangular U with H⁻¹ = Uᵀ U: the inverse L⁻ᵀ L⁻¹, then its Cholesky factor. */
export const inverseFactor = (h: Rows): Mutable => {
  const lower = invertLower(cholesky(h))
  const columns = lower.map((_, j) => lower.map((row) => row[j]))
  const factor = cholesky(columns.map((a) => columns.map((b) => dot(a, b))))
  return factor.map((_, i) => factor.map((row) => row[i]))
}
