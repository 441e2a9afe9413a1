import { assert, describe, it } from "@effect/vitest"
import { layer as wasmLayer } from "@espalier/wasm"
import { makeNumbers, rowsOf } from "@espalier/testing"
import { Effect, Schema } from "effect"
import { smallestOfAll, smallestOfGroups, smallestOfRow } from "./selection.ts"
import { evaluate, matrix } from "./testing/evaluate.ts"

const Count = (minimum: number, maximum: number) =>
  Schema.Int.check(Schema.isBetween({ minimum, maximum }))
/** Few different values, so that ties abound; exact in `f32`. */
const Scores = Schema.Array(Count(0, 6)).check(Schema.isMinLength(1), Schema.isMaxLength(24))

/** What the definition says: sort, the first of equals first, and take the first `count`. */
const smallest = (scores: ReadonlyArray<number>, count: number): ReadonlyArray<number> => {
  const order = scores.map((_, i) => i).sort((a, b) => scores[a] - scores[b] || a - b)
  const chosen = new Set(order.slice(0, count))
  return scores.map((_, i) => (chosen.has(i) ? 1 : 0))
}

const runs = { arbitrary: { runs: 60 } }

describe("selection", () => {
  it.effect.prop(
    "of a row takes exactly the smallest, the first of equals first",
    { scores: Scores, part: Count(0, 100) },
    ({ scores, part }) =>
      Effect.gen(function* () {
        const count = Math.round((scores.length * part) / 100)
        const reversed = scores.toReversed()
        const found = yield* evaluate(() => smallestOfRow(matrix([scores, reversed]), count))
        const expected = [...smallest(scores, count), ...smallest(reversed, count)]
        assert.deepStrictEqual(found, expected)
        assert.strictEqual(
          found.reduce((sum, x) => sum + x, 0),
          2 * count,
        )
      }),
    runs,
  )

  it.effect.prop(
    "of all compares over the whole matrix, in row-major order",
    { scores: Scores, part: Count(0, 100) },
    ({ scores, part }) =>
      Effect.gen(function* () {
        const all = [...scores, ...scores]
        const count = Math.round((all.length * part) / 100)
        const found = yield* evaluate(() => smallestOfAll(matrix([scores, scores]), count))
        assert.deepStrictEqual(found, [...smallest(all, count)])
      }),
    runs,
  )

  it.effect.prop(
    "of groups keeps exactly N of each aligned M, the last of equals",
    { groups: Count(1, 4), of: Count(2, 6), less: Count(0, 5), seed: Schema.Natural },
    ({ groups, of, less, seed }) =>
      Effect.gen(function* () {
        const keep = Math.max(of - less, 1)
        const next = makeNumbers(seed)
        const rows = [0, 1, 2].map(() =>
          Array.from({ length: groups * of }, () => Math.floor((next() + 1) * 2)),
        )
        const found = yield* evaluate(() => smallestOfGroups(matrix(rows), keep, of))
        const expected = rows
          .flatMap((row) => rowsOf(row, of))
          .flatMap((group) => smallest(group, of - keep))
        assert.deepStrictEqual(found, expected)
        for (const group of rowsOf(found, of)) {
          assert.strictEqual(group.filter((removed) => removed === 0).length, keep)
        }
      }),
    runs,
  )

  it.effect("takes none and all", () =>
    Effect.gen(function* () {
      const scores = () => matrix([[3, 0, 2]])
      assert.deepStrictEqual(yield* evaluate(() => smallestOfRow(scores(), 0)), [0, 0, 0])
      assert.deepStrictEqual(yield* evaluate(() => smallestOfRow(scores(), 3)), [1, 1, 1])
      assert.deepStrictEqual(yield* evaluate(() => smallestOfAll(scores(), 0)), [0, 0, 0])
      assert.deepStrictEqual(yield* evaluate(() => smallestOfGroups(scores(), 3, 3)), [0, 0, 0])
    }),
  )

  it.effect("orders zeros, denormals and numbers of every size by their bits, on wasm", () =>
    Effect.gen(function* () {
      const sizes = [3.4e38, 1e-45, 1, 0, 1 - 2 ** -24, 1e-38, 2 ** 100, 1 + 2 ** -23, 0]
      for (let count = 0; count <= sizes.length; count++) {
        const found = yield* evaluate(() => smallestOfRow(matrix([sizes]), count), wasmLayer())
        assert.deepStrictEqual(found, [...smallest(sizes, count)])
      }
    }),
  )

  it.effect("agrees with sorting on long rows, on wasm", () =>
    Effect.gen(function* () {
      const next = makeNumbers(1)
      const rows = [0, 1, 2, 3, 4].map(() =>
        Array.from({ length: 1000 }, () => Math.fround(Math.abs(next()))),
      )
      const found = yield* evaluate(() => smallestOfRow(matrix(rows), 617), wasmLayer())
      assert.deepStrictEqual(
        found,
        rows.flatMap((row) => smallest(row, 617)),
      )
    }),
  )
})
