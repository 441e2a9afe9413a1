import { assert, describe, it } from "@effect/vitest"
import { Notices } from "@espalier/runtime"
import { Matrix } from "@espalier/tensor"
import { type Rows, correlatedTokens, differenceOf } from "@espalier/testing"
import { Effect, Schema } from "effect"
import { dampedHessian, deadInputs, inverseFactor, meanDiagonal } from "./inverse_factor.ts"
import { plainHessian, toHessian, toRows, turned } from "./testing/layers.ts"

const Count = (minimum: number, maximum: number) =>
  Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const multiply = (a: Rows, b: Rows): Rows =>
  a.map((row) => turned(b).map((column) => row.reduce((sum, x, i) => sum + x * column[i], 0)))
const identity = (size: number): Rows =>
  Array.from({ length: size }, (_, i) => Array.from({ length: size }, (__, j) => (i === j ? 1 : 0)))

const squareOf = (upper: Matrix.UpperTriangle) => toRows(Matrix.unpackUpper(upper).data, upper.size)

describe("dampedHessian", () => {
  it("adds a share of the mean diagonal, and gives dead inputs a 1", () => {
    const hessian = toHessian([
      [4, 1, 0],
      [1, 3, 0],
      [0, 0, 0],
    ])
    assert.deepStrictEqual(deadInputs(hessian), [2])
    assert.closeTo(meanDiagonal(hessian), 7 / 3, 1e-6)
    // The mean of 4, 3 and 1 is 8 / 3.
    const damped = toRows(dampedHessian(hessian, 0.3).data, 3)
    assert.isBelow(
      differenceOf(damped, [
        [4.8, 1, 0],
        [1, 3.8, 0],
        [0, 0, 1.8],
      ]),
      1e-12,
    )
    assert.deepStrictEqual(Array.from(hessian.upper), [4, 1, 0, 3, 0, 0])
  })
})

describe("inverseFactor", () => {
  it.effect.prop(
    "is upper triangular, and UᵀU is the inverse of the damped Hessian",
    { inputs: Count(1, 20), seed: Count(0, 1e6) },
    ({ inputs, seed }) =>
      Effect.gen(function* () {
        const hessian = toHessian(plainHessian(correlatedTokens(3 * inputs, inputs, seed)))
        for (const damping of [0.01, 0.3]) {
          const u = squareOf(yield* inverseFactor(hessian, { layer: "a", damping }))
          const damped = toRows(dampedHessian(hessian, damping).data, inputs)
          const product = multiply(multiply(turned(u), u), damped)
          // Kept in `f32`.
          assert.isBelow(differenceOf(product, identity(inputs)), 1e-4)
          u.forEach((row, i) => {
            assert.isAbove(row[i], 0)
            assert.isTrue(row.every((value, j) => j >= i || value === 0))
          })
        }
      }),
    { arbitrary: { runs: 20 } },
  )

  it.effect("keeps dead inputs out of everything else", () =>
    Effect.gen(function* () {
      const tokens = correlatedTokens(40, 6, 1).map((row) => row.map((x, j) => (j === 2 ? 0 : x)))
      const hessian = toHessian(plainHessian(tokens))
      const u = squareOf(yield* inverseFactor(hessian, { layer: "a" }))
      const damping = dampedHessian(hessian, 0.01).data[2 * 6 + 2]
      for (let j = 0; j < 6; j++) {
        assert.closeTo(u[2][j], j === 2 ? 1 / Math.sqrt(damping) : 0, 1e-6)
        if (j < 2) assert.closeTo(u[j][2], 0, 1e-12)
      }
      // No input at all: the identity, damped.
      const silent = toHessian([
        [0, 0],
        [0, 0],
      ])
      const alone = squareOf(yield* inverseFactor(silent, { layer: "a" }))
      assert.isBelow(
        differenceOf(alone, [
          [1.01 ** -0.5, 0],
          [0, 1.01 ** -0.5],
        ]),
        1e-7,
      )
    }),
  )

  it.effect("does not care how large all inputs are, but for the size of the factor", () =>
    Effect.gen(function* () {
      const rows = plainHessian(correlatedTokens(40, 8, 2))
      const once = yield* inverseFactor(toHessian(rows), { layer: "a" })
      const scaled = toHessian(rows.map((row) => row.map((h) => 16 * Math.fround(h))))
      const found = yield* inverseFactor(scaled, { layer: "a" })
      assert.deepStrictEqual(
        Array.from(found.data, (value) => 4 * value),
        Array.from(once.data),
      )
    }),
  )

  it.effect("takes more damping where it has to, and says so", () =>
    Effect.gen(function* () {
      // All inputs are the same: no pivot is left after the first.
      const hessian = toHessian([
        [1, 1],
        [1, 1],
      ])
      const [found, notices] = yield* Notices.collect(
        inverseFactor(hessian, { layer: "blocks.3.up", damping: 0 }),
      )
      assert.deepStrictEqual(found, yield* inverseFactor(hessian, { layer: "a", damping: 1e-4 }))
      assert.deepStrictEqual(notices, [
        "blocks.3.up: damping 0 is too little for its Hessian, took 0.0001",
      ])
      const [, none] = yield* Notices.collect(inverseFactor(hessian, { layer: "a", damping: 0.01 }))
      assert.deepStrictEqual(none, [])
    }),
  )

  it.effect("leaves the Hessian as it was, unless it may be consumed", () =>
    Effect.gen(function* () {
      const rows = plainHessian(correlatedTokens(40, 8, 3))
      const hessian = toHessian(rows)
      const found = yield* inverseFactor(hessian, { layer: "a" })
      assert.deepStrictEqual(hessian, toHessian(rows))
      const consumed = yield* inverseFactor(hessian, { layer: "a", consume: true })
      assert.deepStrictEqual(Array.from(consumed.data), Array.from(found.data))
      // More damping than at first works on a consumed Hessian as well.
      const same = toHessian(Array.from({ length: 5 }, () => [1, 1, 1, 1, 1]))
      const kept = yield* inverseFactor(same, { layer: "a", damping: 0 })
      const gone = yield* inverseFactor(same, { layer: "a", damping: 0, consume: true })
      assert.deepStrictEqual(Array.from(gone.data), Array.from(kept.data))
    }),
  )

  it.effect("gives up at a bound, and names the layer and the damping", () =>
    Effect.gen(function* () {
      // Not a Hessian at all: one eigenvalue is −4.
      const hessian = toHessian([
        [1, 5],
        [5, 1],
      ])
      const [error, notices] = yield* Notices.collect(
        Effect.flip(inverseFactor(hessian, { layer: "blocks.1.down" })),
      )
      assert.strictEqual(error._tag, "HessianNotInvertible")
      assert.deepStrictEqual([error.layer, error.damping], ["blocks.1.down", 1])
      assert.include(
        error.message,
        "Hessian of blocks.1.down is not positive definite with damping 1",
      )
      assert.strictEqual(notices.length, 2)
    }),
  )
})
