import { assert, describe, it } from "@effect/vitest"
import { HostArray, Tensor } from "@espalier/tensor"
import { makeNumbers, rowsOf } from "@espalier/testing"
import { Effect, Schema } from "effect"
import { applyMask, magnitudeMask, removedCount, wandaMask, wandaScore } from "./masks.ts"
import { parseSparsity } from "./sparsity.ts"
import { evaluate, matrix } from "./testing/evaluate.ts"

type Matrix = ReadonlyArray<ReadonlyArray<number>>

const draw = (rows: number, columns: number, seed: number): Matrix => {
  const next = makeNumbers(seed)
  return Array.from({ length: rows }, () => Array.from({ length: columns }, () => next()))
}
const vector = (values: ReadonlyArray<number>) =>
  Tensor.fromHost(HostArray.make([values.length], values))
const sparsities = ["2:4", 0.5, 0.3] as const

describe("removedCount", () => {
  it.effect.prop(
    "is the floor, and forgives the rounding of decimal fractions",
    [Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 })), Schema.Natural],
    ([percent, size]) =>
      Effect.sync(() => {
        const exact = Number((BigInt(size) * BigInt(percent)) / 100n)
        assert.strictEqual(removedCount(size, percent / 100), exact)
      }),
  )

  it("rounds down", () => {
    assert.deepStrictEqual(
      [removedCount(100, 0.29), removedCount(7, 0.5), removedCount(3, 1)],
      [29, 3, 3],
    )
  })
})

describe("wandaScore", () => {
  it.effect("is |W| · √s", () =>
    Effect.gen(function* () {
      const weight = draw(3, 4, 1)
      const squares = [0.5, 0, 4, 9]
      const found = yield* evaluate(() => wandaScore(matrix(weight), vector(squares)))
      const expected = weight.flatMap((row) =>
        row.map((w, j) => Math.fround(Math.abs(w)) * Math.sqrt(squares[j])),
      )
      found.forEach((score, i) => assert.closeTo(score, expected[i], 1e-7))
    }),
  )
})

describe("masks", () => {
  it.effect("of Wanda with equal inputs are those of magnitude within each row", () =>
    Effect.gen(function* () {
      const weight = draw(4, 8, 2)
      const equal = () => vector(Array.from({ length: 8 }, () => 2.25))
      const structured = parseSparsity("2:4")
      assert.deepStrictEqual(
        yield* evaluate(() => wandaMask(matrix(weight), equal(), structured)),
        yield* evaluate(() => magnitudeMask(matrix(weight), structured)),
      )
      const half = parseSparsity(0.5)
      const rows = yield* Effect.forEach(weight, (row) =>
        evaluate(() => magnitudeMask(matrix([row]), half)),
      )
      assert.deepStrictEqual(
        yield* evaluate(() => wandaMask(matrix(weight), equal(), half)),
        rows.flat(),
      )
    }),
  )

  it.effect.prop(
    "of Wanda do not change with a positive scale per row",
    [Schema.Natural, Schema.Int.check(Schema.isBetween({ minimum: -20, maximum: 20 }))],
    ([seed, exponent]) =>
      Effect.gen(function* () {
        const weight = draw(3, 8, seed)
        const squares = draw(1, 8, seed + 1)[0].map((x) => x * x)
        // Powers of two, so that rounding makes no new ties.
        const scaled = weight.map((row, i) => row.map((w) => w * 2 ** (exponent * (i - 1))))
        for (const sparsity of sparsities.map(parseSparsity)) {
          const mask = (rows: Matrix) =>
            evaluate(() => wandaMask(matrix(rows), vector(squares), sparsity))
          assert.deepStrictEqual(yield* mask(scaled), yield* mask(weight))
        }
      }),
    { arbitrary: { runs: 15 } },
  )

  it.effect("of magnitude compare over the whole matrix, of Wanda within each row", () =>
    Effect.gen(function* () {
      const weight = [
        [1, -2, 3, 4],
        [10, 20, -30, 40],
      ]
      const half = parseSparsity(0.5)
      const ones = () => vector([1, 1, 1, 1])
      assert.deepStrictEqual(
        yield* evaluate(() => magnitudeMask(matrix(weight), half)),
        [1, 1, 1, 1, 0, 0, 0, 0],
      )
      assert.deepStrictEqual(
        yield* evaluate(() => wandaMask(matrix(weight), ones(), half)),
        [1, 1, 0, 0, 1, 1, 0, 0],
      )
    }),
  )

  it.effect("of Wanda take inputs that are never used first, the first of them first", () =>
    Effect.gen(function* () {
      const found = yield* evaluate(() =>
        wandaMask(matrix([[9, 8, 7, 1]]), vector([0, 0, 0, 1]), parseSparsity(0.5)),
      )
      assert.deepStrictEqual(found, [1, 1, 0, 0])
    }),
  )

  it.effect("put zeros where they are true and leave the rest", () =>
    Effect.gen(function* () {
      const mask = () => Tensor.notEqual(matrix([[1, 0, 1]]), 0)
      const found = yield* evaluate(() => applyMask(matrix([[5, -6, Number.NaN]]), mask()))
      assert.deepStrictEqual(found, [0, -6, 0])
    }),
  )

  // No theorem: Wanda can lose on other inputs. On inputs whose sizes differ as much as those of
  // trained models do, it has to win by far.
  it.effect("of Wanda change a layer's outputs less than magnitude's on correlated inputs", () =>
    Effect.gen(function* () {
      const [outputs, inputs, tokens] = [16, 32, 200]
      const weight = draw(outputs, inputs, 11)
      const sizes = Array.from({ length: inputs }, (_, j) => 10 ** ((j % 5) / 2 - 1))
      const mix = draw(inputs, inputs, 13)
      const x = draw(tokens, inputs, 12).map((z) =>
        mix.map((row, j) => sizes[j] * row.reduce((sum, m, i) => sum + m * z[i], 2 * z[j])),
      )
      const squares = sizes.map((_, j) => x.reduce((sum, row) => sum + row[j] ** 2, 0))
      const error = (mask: ReadonlyArray<number>) => {
        const rows = rowsOf(mask, inputs)
        return x.reduce(
          (total, token) =>
            total +
            weight.reduce((sum, row, i) => {
              const lost = row.reduce((d, w, j) => d + (rows[i][j] === 1 ? w * token[j] : 0), 0)
              return sum + lost * lost
            }, 0),
          0,
        )
      }
      for (const sparsity of sparsities.map(parseSparsity)) {
        const wanda = yield* evaluate(() => wandaMask(matrix(weight), vector(squares), sparsity))
        const magnitude = yield* evaluate(() => magnitudeMask(matrix(weight), sparsity))
        assert.isBelow(error(wanda), 0.5 * error(magnitude))
      }
    }),
  )
})
