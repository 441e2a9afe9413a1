import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { generator } from "./conformance/mod.ts"
import { NotPositiveDefinite } from "./errors.ts"
import * as Matrix from "./matrix.ts"

const random = (rows: number, columns: number, seed: number): Matrix.Matrix => {
  const next = generator(seed)
  return Matrix.make(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, () => 2 * next() - 1),
  )
}
/** `x·xᵀ + n·I`: symmetric, and far from singular. */
const positive = (n: number, seed: number): Matrix.Matrix => {
  const x = random(n, n, seed)
  const a = Matrix.multiplyTransposed(x, x)
  for (let i = 0; i < n; i++) a.data[i * n + i] += n
  return a
}
const close = (found: Matrix.Matrix, expected: Matrix.Matrix, tolerance = 1e-12): void => {
  assert.deepStrictEqual([found.rows, found.columns], [expected.rows, expected.columns])
  const scale = expected.data.reduce((most, x) => Math.max(most, Math.abs(x)), 1)
  for (const [i, x] of expected.data.entries()) {
    if (!(Math.abs(found.data[i] - x) <= tolerance * scale)) {
      assert.fail(`element ${i} is ${found.data[i]}, expected ${x}`)
    }
  }
}
const size = fc.integer({ min: 1, max: 110 })
const seed = fc.nat(1000)

describe("Matrix", () => {
  it("multiplies as the definition says", () => {
    const extent = fc.integer({ min: 1, max: 60 })
    fc.assert(
      fc.property(extent, extent, extent, seed, (m, k, n, s) => {
        const [a, b] = [random(m, k, s), random(k, n, s + 1)]
        const expected = Matrix.make(m, n)
        for (let i = 0; i < m; i++) {
          for (let j = 0; j < n; j++) {
            for (let l = 0; l < k; l++) {
              expected.data[i * n + j] += a.data[i * k + l] * b.data[l * n + j]
            }
          }
        }
        close(Matrix.multiply(a, b), expected)
        close(Matrix.multiplyTransposed(a, Matrix.transpose(b)), expected)
        assert.deepStrictEqual(Matrix.transpose(Matrix.transpose(a)), a)
      }),
      { numRuns: 30, seed: 1 },
    )
  })

  it("cholesky: l is lower triangular with a positive diagonal, and l·lᵀ = a", () => {
    fc.assert(
      fc.property(size, seed, (n, s) => {
        const a = positive(n, s)
        const l = Matrix.cholesky(a)
        for (let i = 0; i < n; i++) {
          assert.isAbove(l.data[i * n + i], 0)
          for (let j = i + 1; j < n; j++) assert.strictEqual(l.data[i * n + j], 0)
        }
        close(Matrix.multiplyTransposed(l, l), a)
      }),
      { numRuns: 40, seed: 2 },
    )
  })

  it("cholesky reads the lower triangle only, and changes nothing", () => {
    const a = positive(70, 5)
    const copy = Float64Array.from(a.data)
    for (let i = 0; i < 70; i++) copy.fill(Number.NaN, i * 70 + i + 1, (i + 1) * 70)
    assert.deepStrictEqual(Matrix.cholesky(Matrix.make(70, 70, copy)), Matrix.cholesky(a))
  })

  it("cholesky of a known matrix", () => {
    // The example of en.wikipedia.org/wiki/Cholesky_decomposition.
    const a = Matrix.make(3, 3, [4, 12, -16, 12, 37, -43, -16, -43, 98])
    assert.deepStrictEqual([...Matrix.cholesky(a).data], [2, 0, 0, 6, 1, 0, -8, 5, 3])
  })

  it("triangular systems: l·x = b and lᵀ·x = b", () => {
    fc.assert(
      fc.property(size, fc.integer({ min: 1, max: 80 }), seed, (n, m, s) => {
        const l = Matrix.cholesky(positive(n, s))
        const b = random(n, m, s + 1)
        close(Matrix.multiply(l, Matrix.solveTriangular(l, b)), b)
        const x = Matrix.solveTriangular(l, b, { transpose: true })
        close(Matrix.multiply(Matrix.transpose(l), x), b)
      }),
      { numRuns: 30, seed: 3 },
    )
  })

  it("positive definite systems: a·x = b, and the inverse", () => {
    const a = positive(90, 4)
    const b = random(90, 7, 5)
    close(Matrix.multiply(a, Matrix.solvePositiveDefinite(a, b)), b)
    const identity = Matrix.make(90, 90)
    for (let i = 0; i < 90; i++) identity.data[i * 91] = 1
    close(Matrix.multiply(a, Matrix.solvePositiveDefinite(a, identity)), identity)
  })

  it("least squares: the residual is orthogonal to every column", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(40), seed, (n, more, s) => {
        const x = random(n + more + 10, n, s)
        const y = random(n + more + 10, 3, s + 1)
        const damping = s % 2 === 0 ? 0 : 0.5
        const w = Matrix.leastSquares(x, y, { damping })
        const fit = Matrix.multiply(x, w)
        const residual = Matrix.make(
          y.rows,
          3,
          fit.data.map((v, i) => y.data[i] - v),
        )
        const slope = Matrix.multiply(Matrix.transpose(x), residual)
        // The gradient of the penalty takes up the rest.
        close(
          slope,
          Matrix.make(
            n,
            3,
            w.data.map((v) => damping * v),
          ),
          1e-9,
        )
      }),
      { numRuns: 40, seed: 6 },
    )
  })

  it("least squares finds the weights that made the data", () => {
    const [x, w] = [random(50, 8, 7), random(8, 2, 8)]
    close(Matrix.leastSquares(x, Matrix.multiply(x, w)), w, 1e-11)
  })

  it("says where a matrix is not positive definite", () => {
    const check = (n: number, pivot: number, values: ArrayLike<number>, hint: string) => {
      try {
        Matrix.cholesky(Matrix.make(n, n, values), "blocks.0.q")
      } catch (error) {
        assert.instanceOf(error, NotPositiveDefinite)
        assert.strictEqual(error.pivot, pivot)
        assert.include(
          error.message,
          `blocks.0.q (${n} × ${n}) is not positive definite: pivot ${pivot}`,
        )
        assert.include(error.message, hint)
        return
      }
      assert.fail("it was factored")
    }
    check(2, 1, [1, 2, 2, 1], "Raise the damping")
    check(2, 0, [0, 0, 0, 1], "Raise the damping")
    check(2, 0, [Number.NaN, 0, 0, 1], "not finite")
    const deep = positive(100, 9)
    deep.data[77 * 101] = -1
    check(100, 77, deep.data, "Raise the damping")
  })

  it("refuses shapes that do not fit", () => {
    assert.throws(
      () => Matrix.cholesky(random(2, 3, 1)),
      "cholesky of [2, 3]: needs a square matrix",
    )
    assert.throws(
      () => Matrix.multiply(random(2, 3, 1), random(2, 3, 1)),
      "multiply of [2, 3] and [2, 3]",
    )
    assert.throws(() => Matrix.make(2, 2, [1]), "Matrix of [2, 2]: 1 values do not fill it")
  })
})
