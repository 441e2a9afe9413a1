/** A matrix as its rows, in `f64`. */
export type Rows = ReadonlyArray<ReadonlyArray<number>>
/** Rows that are written to. */
export type Mutable = Array<Array<number>>

/** A copy that may be written to. */
export const copy = (a: Rows): Mutable => a.map((row) => [...row])

/** A matrix of zeros. */
export const zeros = (rows: number, columns: number): Mutable =>
  Array.from({ length: rows }, () => new Array<number>(columns).fill(0))

export const dot = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): number =>
  a.reduce((sum, value, i) => sum + value * b[i], 0)

/** `a · b`. */
export const multiply = (a: Rows, b: Rows): Mutable =>
  a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)))

/** `a − b`. */
export const subtract = (a: Rows, b: Rows): Mutable =>
  a.map((row, i) => row.map((value, j) => value - b[i][j]))

/**
 * H = Σ x xᵀ, [inputs, inputs], of tokens x, [tokens, inputs]: all that the methods know of the text.
 *
 * @example
 * ```ts
 * import { Naive } from "@espalier/pruning"
 *
 * console.log(Naive.hessianOf([[1, 2], [0, 1]])) // [ [ 1, 2 ], [ 2, 5 ] ]
 * ```
 */
export const hessianOf = (tokens: Rows): Mutable =>
  tokens[0].map((_, i) => tokens[0].map((__, j) => tokens.reduce((sum, x) => sum + x[i] * x[j], 0)))

/** ‖(W − W₀) X‖² = Σ (w − w₀)ᵀ H (w − w₀) over the rows of the weights, [outputs, inputs]. */
export const squaredError = (weight: Rows, target: Rows, hessian: Rows): number =>
  subtract(weight, target).reduce(
    (sum, row) =>
      sum +
      dot(
        row,
        hessian.map((column) => dot(column, row)),
      ),
    0,
  )

/** The lower triangular L with L Lᵀ = a. Throws a `RangeError` where a is not positive definite. */
export const cholesky = (a: Rows): Mutable => {
  const l = zeros(a.length, a.length)
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j <= i; j++) {
      const rest = a[i][j] - dot(l[i].slice(0, j), l[j])
      if (i === j && !(rest > 0))
        throw new RangeError(`not positive definite: pivot ${i} is ${rest}`)
      l[i][j] = i === j ? Math.sqrt(rest) : rest / l[j][j]
    }
  }
  return l
}

/** x with L Lᵀ x = b: forward, then backward. */
const solveFactored = (l: Rows, b: ReadonlyArray<number>): Array<number> => {
  const x = [...b]
  for (let i = 0; i < x.length; i++) {
    for (let k = 0; k < i; k++) x[i] -= l[i][k] * x[k]
    x[i] /= l[i][i]
  }
  for (let i = x.length - 1; i >= 0; i--) {
    for (let k = i + 1; k < x.length; k++) x[i] -= l[k][i] * x[k]
    x[i] /= l[i][i]
  }
  return x
}

/** x with a x = b for a symmetric positive definite a. */
export const solve = (a: Rows, b: ReadonlyArray<number>): Array<number> =>
  solveFactored(cholesky(a), b)

/** The upper triangular U with H⁻¹ = Uᵀ U: the inverse, then its Cholesky factor. */
export const inverseFactor = (h: Rows): Mutable => {
  const l = cholesky(h)
  const inverse = h.map((_, j) =>
    solveFactored(
      l,
      h.map((__, i) => (i === j ? 1 : 0)),
    ),
  )
  const factor = cholesky(inverse)
  return factor.map((_, i) => factor.map((row) => row[i]))
}
