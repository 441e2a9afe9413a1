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
  const scale = Array.from(expected.data).reduce((most, x) => Math.max(most, Math.abs(x)), 1)
  for (const [i, x] of expected.data.entries()) {
    if (!(Math.abs(found.data[i] - x) <= tolerance * scale)) {
      assert.fail(`element ${i} is ${found.data[i]}, expected ${x}`)
    }
  }
}
const identity = (n: number): Matrix.Matrix => {
  const result = Matrix.make(n, n)
  for (let i = 0; i < n; i++) result.data[i * (n + 1)] = 1
  return result
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

  it("inverseFactor: u is upper triangular with a positive diagonal, and uᵀ·u·h = 1", () => {
    fc.assert(
      fc.property(size, seed, (n, s) => {
        const h = positive(n, s)
        const u = Matrix.inverseFactor(h)
        for (let i = 0; i < n; i++) {
          assert.isAbove(u.data[i * n + i], 0)
          for (let j = 0; j < i; j++) assert.strictEqual(u.data[i * n + j], 0)
        }
        const ut = Matrix.transpose(u)
        close(Matrix.multiply(Matrix.multiplyTransposed(ut, ut), h), identity(n))
        // It is what the inverse factored again would be.
        const again = Matrix.transpose(Matrix.cholesky(Matrix.inversePositiveDefinite(h)))
        close(u, again)
      }),
      { numRuns: 40, seed: 7 },
    )
  })

  it("inversePositiveDefinite: exactly symmetric, and a·x = 1", () => {
    fc.assert(
      fc.property(size, seed, (n, s) => {
        const a = positive(n, s)
        const x = Matrix.inversePositiveDefinite(a)
        assert.deepStrictEqual(Matrix.transpose(x), x)
        close(Matrix.multiply(a, x), identity(n))
      }),
      { numRuns: 40, seed: 8 },
    )
  })

  it("factors read the lower triangle only, and take the place of the matrix if they may", () => {
    const a = positive(60, 3)
    for (const factor of [Matrix.cholesky, Matrix.inverseFactor, Matrix.inversePositiveDefinite]) {
      const copy = Float64Array.from(a.data)
      for (let i = 0; i < 60; i++) copy.fill(Number.NaN, i * 60 + i + 1, (i + 1) * 60)
      const lower = Matrix.make(60, 60, copy)
      const result = factor(lower)
      assert.notStrictEqual(result.data, copy)
      assert.deepStrictEqual(result, factor(a))
      assert.strictEqual(factor(lower, "layer", { consume: true }).data, copy)
      assert.deepStrictEqual(lower, result)
    }
  })

  it("fromSymmetric mirrors the lower triangle of values of any kind", () => {
    const n = 70
    const values = Float32Array.from(random(n, n, 4).data)
    const { data } = Matrix.fromSymmetric(values, n)
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        assert.strictEqual(data[i * n + j], values[i * n + j])
        assert.strictEqual(data[j * n + i], values[i * n + j])
      }
    }
    assert.throws(() => Matrix.fromSymmetric(values, 3), "Matrix of [3, 3]: 4900 values")
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
    const one = identity(90)
    close(Matrix.multiply(a, Matrix.solvePositiveDefinite(a, one)), one)
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

  it("inverseFactorOfUpper is inverseFactor in half the memory", () => {
    for (const n of [1, 2, 7, 50, 97]) {
      const h = positive(n, n)
      const upper = Matrix.packUpper(h)
      assert.strictEqual(upper.data.length, (n * (n + 1)) / 2)
      const expected = Matrix.inverseFactor(h)
      const found = Matrix.inverseFactorOfUpper(upper)
      assert.deepStrictEqual(Matrix.unpackUpper(found), expected)
      assert.deepStrictEqual(upper, Matrix.packUpper(h))
      const consumed = Matrix.inverseFactorOfUpper(upper, "layer", { consume: true })
      assert.strictEqual(consumed.data, upper.data)
      assert.deepStrictEqual(consumed, found)
    }
    assert.throws(() => Matrix.packUpper(Matrix.make(2, 3)), /needs a square matrix/)
  })

  it("inverseFactor counts pivots as the matrix does, from the last one upwards", () => {
    const h = positive(100, 9)
    const before = Float64Array.from(h.data)
    for (const row of [0, 60, 99]) {
      h.data.set(before)
      h.data[row * 101] = -1
      try {
        Matrix.inverseFactor(h, "blocks.0.q", { consume: true })
        assert.fail("it was factored")
      } catch (error) {
        assert.instanceOf(error, NotPositiveDefinite)
        assert.strictEqual(error.pivot, row)
      }
      assert.strictEqual(h.data[row * 101], -1)
    }
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
