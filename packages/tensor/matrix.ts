import { NotPositiveDefinite, ShapeError } from "./errors.ts"

/**
 * Dense `f64` matrices on the host, row-major, and the factorisations that calibration needs: plain
 * functions of numbers. `LinearAlgebra` is the service that devices may speed up.
 */
export interface Matrix {
  readonly rows: number
  readonly columns: number
  /** Arithmetic is in `f64`; `f32` numbers take half the memory and round what is written to them. */
  readonly data: Numbers
}

/** What a matrix is kept in. */
export type Numbers = Float64Array | Float32Array

/**
 * A matrix of numbers in row-major order; zeros where none are given. A `Float64Array` or `Float32Array` is not copied.
 *
 * @example
 * ```ts
 * import { Matrix } from "@espalier/tensor"
 *
 * const a = Matrix.make(2, 2, [4, 2, 2, 3])
 * console.log(Matrix.cholesky(a).data) // Float64Array(4) [ 2, 0, 1, 1.4142135623730951 ]
 * ```
 */
export const make = (rows: number, columns: number, values?: ArrayLike<number>): Matrix => {
  const data =
    values === undefined
      ? new Float64Array(rows * columns)
      : values instanceof Float64Array || values instanceof Float32Array
        ? values
        : Float64Array.from(values)
  if (data.length !== rows * columns) {
    const problem = `${data.length} values do not fill it`
    throw new ShapeError({ operation: "Matrix", shapes: [[rows, columns]], problem })
  }
  return { rows, columns, data }
}

const shapeOf = ({ rows, columns }: Matrix): ReadonlyArray<number> => [rows, columns]

const refuse = (operation: string, matrices: ReadonlyArray<Matrix>, problem: string): never => {
  throw new ShapeError({ operation, shapes: matrices.map(shapeOf), problem })
}

/** Rows that are worked on together, so that they stay in the cache. */
const block = 48

/**
 * A symmetric matrix from values of any kind, such as the `f32` Hessian of a device: only the lower
 * triangle is read, so that the result is exactly symmetric.
 */
export const fromSymmetric = (values: ArrayLike<number>, n: number): Matrix => {
  const { data } = make(n, n)
  if (values.length !== n * n) {
    const problem = `${values.length} values do not fill it`
    throw new ShapeError({ operation: "Matrix", shapes: [[n, n]], problem })
  }
  for (let i0 = 0; i0 < n; i0 += block) {
    for (let j0 = 0; j0 <= i0; j0 += block) {
      for (let i = i0; i < Math.min(i0 + block, n); i++) {
        const end = Math.min(j0 + block, i + 1)
        for (let j = j0; j < end; j++) data[i * n + j] = data[j * n + i] = values[i * n + j]
      }
    }
  }
  return { rows: n, columns: n, data }
}

/**
 * The upper triangle of a square matrix, row after row, each from its diagonal on: half the memory of
 * the square. See {@link upperRow}.
 */
export interface UpperTriangle {
  readonly size: number
  /** [size · (size + 1) / 2]. */
  readonly data: Numbers
}

/** Where row `row` of an {@link UpperTriangle} begins: with its diagonal. */
export const upperRow = (size: number, row: number): number => (row * (2 * size - row + 1)) / 2

/** The upper triangle of a square matrix. */
export const packUpper = (matrix: Matrix): UpperTriangle => {
  const { rows: size, columns, data } = matrix
  if (size !== columns) refuse("packUpper", [matrix], "needs a square matrix")
  const packed = data.slice(0, upperRow(size, size))
  for (let i = 0; i < size; i++) {
    packed.set(data.subarray(i * size + i, (i + 1) * size), upperRow(size, i))
  }
  return { size, data: packed }
}

/** An upper triangle as a square in `f64`, with zeros below the diagonal. */
export const unpackUpper = ({ size, data }: UpperTriangle): Matrix => {
  const full = make(size, size)
  for (let i = 0; i < size; i++) {
    full.data.set(data.subarray(upperRow(size, i), upperRow(size, i + 1)), i * size + i)
  }
  return full
}

/** `aᵀ`. */
export const transpose = ({ rows, columns, data }: Matrix): Matrix => {
  const result = new Float64Array(data.length)
  for (let i0 = 0; i0 < rows; i0 += block) {
    const i1 = Math.min(i0 + block, rows)
    for (let j = 0; j < columns; j++) {
      for (let i = i0; i < i1; i++) result[j * rows + i] = data[i * columns + j]!
    }
  }
  return { rows: columns, columns: rows, data: result }
}

/** `result[i, j] −= Σ left[i, k] · right[j, k]` over `k < inner`, for a tile of i and j. */
const subtractProducts = (
  result: Numbers,
  resultStride: number,
  left: Numbers,
  right: Numbers,
  stride: number,
  [i0, i1]: readonly [number, number],
  [j0, j1]: readonly [number, number],
  inner: number,
): void => {
  for (let i = i0; i < i1; i += 2) {
    const a0 = i * stride
    const a1 = i + 1 < i1 ? a0 + stride : a0
    for (let j = j0; j < j1; j += 2) {
      const b0 = j * stride
      const b1 = j + 1 < j1 ? b0 + stride : b0
      let s00 = 0
      let s01 = 0
      let s10 = 0
      let s11 = 0
      for (let k = 0; k < inner; k++) {
        const x0 = left[a0 + k]
        const x1 = left[a1 + k]
        const y0 = right[b0 + k]
        const y1 = right[b1 + k]
        s00 += x0 * y0
        s01 += x0 * y1
        s10 += x1 * y0
        s11 += x1 * y1
      }
      const at = i * resultStride + j
      result[at] -= s00
      if (j + 1 < j1) result[at + 1] -= s01
      if (i + 1 < i1) {
        result[at + resultStride] -= s10
        if (j + 1 < j1) result[at + resultStride + 1] -= s11
      }
    }
  }
}

/** `a · bᵀ`: both are read along their rows. */
export const multiplyTransposed = (a: Matrix, b: Matrix): Matrix => {
  if (a.columns !== b.columns) {
    refuse("multiplyTransposed", [a, b], "the numbers of columns differ")
  }
  const data = new Float64Array(a.rows * b.rows)
  for (let i = 0; i < a.rows; i += block) {
    for (let j = 0; j < b.rows; j += block) {
      const [iEnd, jEnd] = [Math.min(i + block, a.rows), Math.min(j + block, b.rows)]
      subtractProducts(data, b.rows, a.data, b.data, a.columns, [i, iEnd], [j, jEnd], a.columns)
    }
  }
  for (let i = 0; i < data.length; i++) data[i] = -data[i]
  return { rows: a.rows, columns: b.rows, data }
}

/** `a · b`. */
export const multiply = (a: Matrix, b: Matrix): Matrix => {
  if (a.columns !== b.rows) refuse("multiply", [a, b], "the inner extents differ")
  return multiplyTransposed(a, transpose(b))
}

/** What becomes of the matrix that is factored. */
export interface FactorOptions {
  /**
   * Puts the result in the place of the matrix, which is gone: one matrix less in memory. Where the
   * factorisation fails the matrix is as it was. Default: false.
   */
  readonly consume?: boolean
}

/** Gives a result in new memory or, where that is allowed, in the memory of the operand. */
const given = (a: Matrix, result: Matrix, { consume = false }: FactorOptions): Matrix => {
  if (!consume) return result
  a.data.set(result.data)
  return a
}

/** {@link cholesky}, where the rows have numbers of their own in what is said of a pivot. */
const lowerFactor = (a: Matrix, layer: string, numberOf: (row: number) => number): Matrix => {
  const n = a.rows
  const l = new Float64Array(n * n)
  for (let i = 0; i < n; i++) l.set(a.data.subarray(i * n, i * n + i + 1), i * n)
  for (let i0 = 0; i0 < n; i0 += block) {
    const i1 = Math.min(i0 + block, n)
    for (let j0 = 0; j0 <= i0; j0 += block) {
      const j1 = Math.min(j0 + block, n)
      subtractProducts(l, n, l, l, n, [i0, i1], [j0, j1], j0)
      for (let i = i0; i < i1; i++) {
        for (let j = j0; j < Math.min(j1, i + 1); j++) {
          let value = l[i * n + j]
          for (let k = j0; k < j; k++) value -= l[i * n + k] * l[j * n + k]
          if (j < i) l[i * n + j] = value / l[j * n + j]
          else if (value > 0 && Number.isFinite(value)) l[i * n + i] = Math.sqrt(value)
          else throw new NotPositiveDefinite({ layer, pivot: numberOf(i), value, size: n })
        }
      }
    }
    // The tiles on the diagonal wrote above it.
    for (let i = i0; i < i1; i++) l.fill(0, i * n + i + 1, (i + 1) * n)
  }
  return { rows: n, columns: n, data: l }
}

/**
 * The lower triangular `l` with `l · lᵀ = a` for a symmetric positive definite `a`, of which only
 * the lower triangle is read. Throws `NotPositiveDefinite` with the `layer` given and the pivot
 * at which it fails. Left-looking by blocks (Golub & Van Loan, Matrix Computations, 4.2.6).
 */
export const cholesky = (a: Matrix, layer = "matrix", options: FactorOptions = {}): Matrix => {
  if (a.rows !== a.columns) refuse("cholesky", [a], "needs a square matrix")
  const factor = lowerFactor(a, layer, (row) => row)
  return given(a, factor, options)
}

/** The lower triangular inverse of a lower triangular matrix, row after row in its place. */
const invertTriangular = ({ rows: n, data }: Matrix): void => {
  const row = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    row.set(data.subarray(i * n, i * n + i))
    data.fill(0, i * n, i * n + i)
    const pivot = data[i * n + i]
    for (let k = 0; k < i; k++) {
      const factor = row[k] / pivot
      for (let j = 0; j <= k; j++) data[i * n + j] -= factor * data[k * n + j]
    }
    data[i * n + i] = 1 / pivot
  }
}

/**
 * The upper triangular `u` with a positive diagonal and `uᵀ · u = h⁻¹`, for a symmetric positive
 * definite `h`, of which only the lower triangle is read: what SparseGPT and GPTQ walk along. Throws
 * `NotPositiveDefinite` with the `layer` given and the pivot, from the last row upwards, at which it
 * fails.
 *
 * Nothing is inverted and factored again. With `j` the matrix that reverses the order of rows,
 * `j · h · j = l · lᵀ` is an ordinary Cholesky factorisation, and `u = j · l⁻¹ · j`.
 *
 * @example
 * ```ts
 * import { Matrix } from "@espalier/tensor"
 *
 * const h = Matrix.make(2, 2, [5, 2, 2, 4])
 * console.log(Matrix.inverseFactor(h).data) // Float64Array(4) [ 0.5, -0.25, 0, 0.5 ]
 * ```
 */
export const inverseFactor = (h: Matrix, layer = "matrix", options: FactorOptions = {}): Matrix => {
  const n = h.rows
  if (n !== h.columns) refuse("inverseFactor", [h], "needs a square matrix")
  // The reversed transpose has in its lower triangle what h has in its own.
  const reversed = transpose(h)
  reversed.data.reverse()
  const factor = lowerFactor(reversed, layer, (row) => n - 1 - row)
  invertTriangular(factor)
  factor.data.reverse()
  return given(h, factor, options)
}

/**
 * {@link inverseFactor} of a symmetric matrix that is kept as its upper triangle; the result is the
 * upper triangle of the factor.
 */
export const inverseFactorOfUpper = (
  h: UpperTriangle,
  layer?: string,
  { consume = false }: FactorOptions = {},
): UpperTriangle => {
  const { size } = h
  const full = unpackUpper(h)
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < i; j++) full.data[i * size + j] = full.data[j * size + i]
  }
  const factor = packUpper(inverseFactor(full, layer))
  if (!consume) return factor
  h.data.set(factor.data)
  return h
}

/**
 * The inverse of a symmetric positive definite matrix, of which only the lower triangle is read:
 * exactly symmetric. Throws as {@link cholesky} does.
 */
export const inversePositiveDefinite = (
  a: Matrix,
  layer?: string,
  options: FactorOptions = {},
): Matrix => {
  if (a.rows !== a.columns) refuse("inversePositiveDefinite", [a], "needs a square matrix")
  const factor = cholesky(a, layer)
  invertTriangular(factor)
  const turned = transpose(factor)
  return given(a, multiplyTransposed(turned, turned), options)
}

/** Which of the two systems {@link solveTriangular} solves. */
export interface TriangularOptions {
  /** Solves `lᵀ · x = b` instead of `l · x = b`. */
  readonly transpose?: boolean
}

/** `x` with `l · x = b` for a lower triangular `l`, for every column of `b`. */
export const solveTriangular = (l: Matrix, b: Matrix, options: TriangularOptions = {}): Matrix => {
  const [n, m] = [l.rows, b.columns]
  if (n !== l.columns || n !== b.rows) {
    refuse("solveTriangular", [l, b], "needs a square matrix and as many rows on the right")
  }
  const x = Float64Array.from(b.data)
  const divide = (row: number, from: number, to: number): void => {
    const pivot = l.data[row * n + row]
    for (let c = row * m + from; c < row * m + to; c++) x[c] /= pivot
  }
  const subtract = (target: number, source: number, factor: number, from: number, to: number) => {
    const shift = (source - target) * m
    if (factor === 0) return
    for (let c = target * m + from; c < target * m + to; c++) x[c] -= factor * x[c + shift]
  }
  for (let from = 0; from < m; from += 64) {
    const to = Math.min(from + 64, m)
    if (options.transpose) {
      for (let i = n - 1; i >= 0; i--) {
        divide(i, from, to)
        for (let j = 0; j < i; j++) subtract(j, i, l.data[i * n + j], from, to)
      }
    } else {
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < i; j++) subtract(i, j, l.data[i * n + j], from, to)
        divide(i, from, to)
      }
    }
  }
  return { rows: n, columns: m, data: x }
}

/** `x` with `a · x = b` for a symmetric positive definite `a`. Throws as {@link cholesky} does. */
export const solvePositiveDefinite = (a: Matrix, b: Matrix, layer?: string): Matrix => {
  const l = cholesky(a, layer)
  return solveTriangular(l, solveTriangular(l, b), { transpose: true })
}

/** How {@link leastSquares} is regularised, and what its errors call the problem. */
export interface LeastSquaresOptions {
  /** Added to every diagonal element of `xᵀx`: ridge regression. 0 by default. */
  readonly damping?: number
  readonly layer?: string
}

/**
 * `w` with the smallest `‖x · w − y‖² + damping · ‖w‖²`, by the normal equations: exact enough where
 * `x` is well conditioned or damped. Throws `NotPositiveDefinite` where columns of `x` depend on each
 * other.
 */
export const leastSquares = (x: Matrix, y: Matrix, options: LeastSquaresOptions = {}): Matrix => {
  if (x.rows !== y.rows) refuse("leastSquares", [x, y], "the numbers of rows differ")
  const xt = transpose(x)
  const gram = multiplyTransposed(xt, xt)
  const { damping = 0 } = options
  for (let i = 0; i < gram.rows; i++) gram.data[i * gram.columns + i] += damping
  return solvePositiveDefinite(gram, multiply(xt, y), options.layer)
}
