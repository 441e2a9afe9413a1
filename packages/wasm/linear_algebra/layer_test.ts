import {
  DeviceArray,
  HostArray,
  LinearAlgebra,
  Matrix,
  NotPositiveDefinite,
  ShapeError,
} from "@espalier/tensor"
import { generator } from "@espalier/tensor/conformance"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { DevicePool } from "../device_pool.ts"
import * as Wasm from "../mod.ts"

const random = (rows: number, columns: number, seed: number): Matrix.Matrix => {
  const next = generator(seed)
  const { data } = Matrix.make(rows, columns)
  for (let i = 0; i < data.length; i++) data[i] = 2 * next() - 1
  return { rows, columns, data }
}

/** A Gram matrix of correlated inputs, damped as calibration damps it. */
const hessian = (n: number, seed: number): Matrix.Matrix => {
  const x = random(n, n + 3, seed)
  for (let i = x.columns; i < x.data.length; i++) x.data[i] += 0.7 * x.data[i - x.columns]
  const h = Matrix.multiplyTransposed(x, x)
  let trace = 0
  for (let i = 0; i < n; i++) trace += h.data[i * (n + 1)]
  for (let i = 0; i < n; i++) h.data[i * (n + 1)] += (0.01 * trace) / n
  return h
}

const largest = (data: Matrix.Numbers): number =>
  Array.from(data).reduce((most, value) => Math.max(most, Math.abs(value)), 0)

/** The largest difference over the largest value; NaN where one is not finite. */
const difference = (found: Matrix.Matrix, expected: Matrix.Matrix): number => {
  assert.deepStrictEqual([found.rows, found.columns], [expected.rows, expected.columns])
  let most = 0
  for (let i = 0; i < found.data.length; i++) {
    const apart = Math.abs(found.data[i] - expected.data[i])
    if (!(apart <= most)) most = apart
  }
  return most / largest(expected.data)
}

const close = (found: Matrix.Matrix, expected: Matrix.Matrix, tolerance: number): void => {
  const apart = difference(found, expected)
  if (!(apart <= tolerance)) assert.fail(`${apart} apart, with ${expected.rows} rows`)
}

const plain = {
  cholesky: Matrix.cholesky,
  inverseFactor: Matrix.inverseFactor,
  inversePositiveDefinite: Matrix.inversePositiveDefinite,
}
const names = ["cholesky", "inverseFactor", "inversePositiveDefinite"] as const

const sameBits = (a: Matrix.Matrix, b: Matrix.Matrix): void => {
  const bytes = ({ data }: Matrix.Matrix) => Buffer.from(data.buffer)
  assert.isTrue(bytes(a).equals(bytes(b)), `${a.rows} rows`)
}

/** A problem of one size with what the plain functions make of it. */
const makeProblem = (n: number) => {
  const h = hessian(n, n)
  const b = random(n, 1 + ((7 * n) % 150), n)
  return {
    h,
    b,
    expected: names.map((name) => plain[name](h)),
    solution: Matrix.solvePositiveDefinite(h, b),
  }
}
const problems = new Map<number, ReturnType<typeof makeProblem>>()
const problemOf = (n: number): ReturnType<typeof makeProblem> => {
  const known = problems.get(n) ?? makeProblem(n)
  problems.set(n, known)
  return known
}

const small = Array.from({ length: 130 }, (_, i) => i + 1)
/** Around one, two and three tiles. */
const large = [143, 144, 145, 287, 300, 435]

describe("the numbers of the plain functions", () => {
  for (const [engine, options, sizes] of [
    ["one thread", { threads: 1 }, [...small, ...large]],
    ["two threads", { threads: 2 }, large],
    ["without fused multiply-add", { threads: 1, relaxedSimd: false }, [5, 11, 86, ...large]],
  ] as const) {
    it.effect(`on ${engine}`, () =>
      Effect.gen(function* () {
        for (const n of sizes) {
          const { h, b, expected, solution } = problemOf(n)
          // The condition is below 1000, and the error of a factor grows with it.
          const tolerance = 1e-14 * n
          const found = yield* Effect.forEach(names, (name) => LinearAlgebra[name](h))
          for (const [i, matrix] of expected.entries()) close(found[i], matrix, tolerance)
          const [l, u, inverse] = found
          for (let i = 0; i < n; i++) {
            assert.isAbove(u.data[i * n + i], 0)
            assert.isTrue(u.data.subarray(i * n, i * n + i).every((value) => value === 0))
            assert.isTrue(l.data.subarray(i * n + i + 1, i * n + n).every((value) => value === 0))
          }
          sameBits(Matrix.transpose(inverse), inverse)
          close(yield* LinearAlgebra.solvePositiveDefinite(h, b), solution, tolerance)
        }
      }).pipe(Effect.provide(Wasm.linearAlgebra(options))),
    )
  }
})

it.effect("inverseFactor: uᵀ · u · h is the identity within a bound of the condition", () =>
  Effect.gen(function* () {
    for (const n of [64, 200, 500]) {
      for (const damping of [1e-2, 1e-6, 1e-9]) {
        const x = random(n, Math.ceil(n / 2), n)
        const h = Matrix.multiplyTransposed(x, x)
        for (let i = 0; i < n; i++) h.data[i * (n + 1)] += damping * n
        const u = yield* LinearAlgebra.inverseFactor(h)
        const ut = Matrix.transpose(u)
        const product = Matrix.multiply(Matrix.multiplyTransposed(ut, ut), h)
        const identity = Matrix.make(n, n)
        for (let i = 0; i < n; i++) identity.data[i * (n + 1)] = 1
        // Half of the directions have no signal: the condition is about 1.5 / damping.
        close(product, identity, (2 ** -52 * n * 1.5) / damping)
      }
    }
  }).pipe(Effect.provide(Wasm.linearAlgebra())),
)

it.effect("the same bits on one, two and three threads, and again", () =>
  Effect.gen(function* () {
    const h = hessian(700, 1)
    const b = random(700, 200, 2)
    const results = (options: Wasm.LinearAlgebraOptions) =>
      Effect.all([
        LinearAlgebra.cholesky(h),
        LinearAlgebra.inverseFactor(h),
        LinearAlgebra.inversePositiveDefinite(h),
        LinearAlgebra.solvePositiveDefinite(h, b),
        // Memory that is used again.
        LinearAlgebra.inverseFactor(h),
      ]).pipe(Effect.provide(Wasm.linearAlgebra(options)))
    const first = yield* results({ threads: 1 })
    sameBits(first[4], first[1])
    for (const threads of [1, 2, 3]) {
      for (const [i, found] of (yield* results({ threads })).entries()) sameBits(found, first[i])
    }
  }),
)

it.effect("factors an upper triangle to the same bits, in its own memory where it may", () =>
  Effect.gen(function* () {
    for (const n of [1, 3, 130, 143, 144, 145, 290, 435]) {
      const h = hessian(n, n)
      const upper = Matrix.packUpper(h)
      const before = Float64Array.from(upper.data)
      const expected = yield* LinearAlgebra.inverseFactor(h)
      const found = yield* LinearAlgebra.inverseFactorOfUpper(upper)
      sameBits(Matrix.unpackUpper(found), expected)
      assert.deepStrictEqual(upper.data, before)
      const small = { size: n, data: Float32Array.from(before) }
      const consumed = yield* LinearAlgebra.inverseFactorOfUpper(small, "layer", { consume: true })
      assert.strictEqual(consumed.data, small.data)
      const single = Matrix.make(n, n, Float32Array.from(h.data))
      const rounded = yield* LinearAlgebra.inverseFactor(single, "layer", { consume: true })
      assert.deepStrictEqual(consumed, Matrix.packUpper(rounded))
    }
    const bad = Matrix.packUpper(hessian(200, 4))
    bad.data[Matrix.upperRow(200, 7)] = -1
    const problem = yield* Effect.flip(LinearAlgebra.inverseFactorOfUpper(bad, "blocks.0.q"))
    assert.instanceOf(problem, NotPositiveDefinite)
    assert.deepStrictEqual([problem.layer, problem.pivot, problem.size], ["blocks.0.q", 7, 200])
  }).pipe(Effect.provide(Wasm.linearAlgebra())),
)

it.effect("reads the lower triangle only, and changes nothing unless it may", () =>
  Effect.gen(function* () {
    const h = hessian(200, 3)
    const lower = Matrix.make(200, 200, Float64Array.from(h.data))
    for (let i = 0; i < 200; i++) lower.data.fill(Number.NaN, i * 200 + i + 1, (i + 1) * 200)
    const before = Float64Array.from(lower.data)
    for (const name of names) {
      const result = yield* LinearAlgebra[name](lower)
      assert.deepStrictEqual(lower.data, before)
      sameBits(result, yield* LinearAlgebra[name](h))
      const own = Matrix.make(200, 200, Float64Array.from(lower.data))
      const consumed = yield* LinearAlgebra[name](own, "layer", { consume: true })
      assert.strictEqual(consumed.data, own.data)
      sameBits(consumed, result)
    }
  }).pipe(Effect.provide(Wasm.linearAlgebra())),
)

it.effect("says where a matrix is not positive definite as the plain functions do", () =>
  Effect.gen(function* () {
    for (const n of [1, 40, 200, 301]) {
      for (const row of [0, Math.floor(n / 2), n - 1]) {
        for (const value of [-1, 0, Number.NaN]) {
          const h = hessian(n, 4)
          h.data[row * (n + 1)] = value
          const before = Float64Array.from(h.data)
          for (const name of names) {
            const found = yield* Effect.flip(
              LinearAlgebra[name](h, "blocks.0.q", { consume: true }),
            )
            assert.instanceOf(found, NotPositiveDefinite)
            try {
              plain[name](h, "blocks.0.q")
              assert.fail("it was factored")
            } catch (expected) {
              assert.instanceOf(expected, NotPositiveDefinite)
              assert.strictEqual(found.layer, expected.layer)
              assert.strictEqual(found.pivot, expected.pivot)
              assert.strictEqual(found.size, expected.size)
              assert.strictEqual(found.hint, expected.hint)
            }
            assert.deepStrictEqual(h.data, before)
          }
        }
      }
    }
  }).pipe(Effect.provide(Wasm.linearAlgebra())),
)

it.effect("refuses shapes that do not fit", () =>
  Effect.gen(function* () {
    const flat = yield* Effect.flip(LinearAlgebra.inverseFactor(random(2, 3, 1)))
    assert.instanceOf(flat, ShapeError)
    assert.strictEqual(flat.message, "inverseFactor of [2, 3]: needs a square matrix")
    const short = yield* Effect.flip(
      LinearAlgebra.solvePositiveDefinite(hessian(3, 1), random(2, 1, 1)),
    )
    assert.strictEqual(
      short.message,
      "solvePositiveDefinite of [3, 3] and [2, 1]: needs as many rows on the right",
    )
    const huge = { rows: 40_000, columns: 40_000, data: new Float64Array(0) }
    const { message } = yield* Effect.flip(LinearAlgebra.cholesky(huge))
    assert.include(message, "does not fit the 4 GiB")
  }).pipe(Effect.provide(Wasm.linearAlgebra())),
)

it.effect("does one thing after the other for fibers that come at once", () =>
  Effect.gen(function* () {
    const matrices = [350, 20, 500, 145].map((n) => hessian(n, n))
    const found = yield* Effect.forEach(matrices, (h) => LinearAlgebra.inverseFactor(h), {
      concurrency: "unbounded",
    })
    for (const [i, h] of matrices.entries()) {
      sameBits(found[i], yield* LinearAlgebra.inverseFactor(h))
    }
  }).pipe(Effect.provide(Wasm.linearAlgebra({ threads: 2 }))),
)

/** The device with its linear algebra over it. */
const together = (options: Wasm.WasmOptions) =>
  Wasm.linearAlgebra(options).pipe(Layer.provideMerge(Wasm.layer(options)))

describe("in the memory of a device", () => {
  for (const threads of [1, 2]) {
    it.effect(`gives the same bits, and the device its own, on ${threads} threads`, () =>
      Effect.gen(function* () {
        const h = hessian(500, 6)
        const expected = yield* LinearAlgebra.inverseFactor(h).pipe(
          Effect.provide(Wasm.linearAlgebra({ threads: 1 })),
        )
        const pool = (yield* DevicePool)!
        const before = yield* DeviceArray.fromHost(HostArray.make([3], [1, 2, 3]))
        const { liveBytes } = pool
        const found = yield* LinearAlgebra.inverseFactor(h)
        sameBits(found, expected)
        assert.strictEqual(pool.liveBytes, liveBytes)
        const { byteLength } = pool.memory.buffer
        assert.isAbove(byteLength, 4 * 500 * 500)
        // What was needed is free again: the device takes it, and then the next matrix does.
        const large = yield* DeviceArray.fromHost(HostArray.zeros([500, 500]))
        DeviceArray.release(large)
        sameBits(yield* LinearAlgebra.inverseFactor(h), expected)
        assert.strictEqual(pool.memory.buffer.byteLength, byteLength)
        assert.deepStrictEqual(yield* DeviceArray.toArray(before), [1, 2, 3])
      }).pipe(Effect.scoped, Effect.provide(together({ threads, poison: true }))),
    )
  }

  it.effect("goes on while the device grows", () =>
    Effect.gen(function* () {
      const matrices = [400, 500, 600].map((n) => hessian(n, n))
      const factors = Effect.forEach(matrices, (h) => LinearAlgebra.inverseFactor(h))
      const grow = Effect.forEach(Array.from({ length: 40 }), () =>
        Effect.andThen(DeviceArray.fromHost(HostArray.zeros([100_000])), Effect.yieldNow),
      )
      const [found] = yield* Effect.all([factors, grow], { concurrency: 2 })
      for (const [i, h] of matrices.entries()) {
        const plainly = Wasm.linearAlgebra({ threads: 1 })
        sameBits(found[i], yield* LinearAlgebra.inverseFactor(h).pipe(Effect.provide(plainly)))
      }
    }).pipe(Effect.scoped, Effect.provide(together({ threads: 1 }))),
  )

  it.effect("takes memory of its own where the device has too little", () =>
    Effect.gen(function* () {
      const h = hessian(600, 7)
      const pool = (yield* DevicePool)!
      const found = yield* LinearAlgebra.inverseFactor(h)
      assert.isBelow(pool.memory.buffer.byteLength, 2 ** 20)
      const plainly = Wasm.linearAlgebra({ threads: 1 })
      sameBits(found, yield* LinearAlgebra.inverseFactor(h).pipe(Effect.provide(plainly)))
    }).pipe(Effect.provide(together({ threads: 2, memoryLimitBytes: 2 ** 20 }))),
  )
})
