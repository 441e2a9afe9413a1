import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import type { MergeRule } from "./pair_merging.ts"
import { mergePairs } from "./pair_merging.ts"

/** The definition: search the whole sequence for the best pair, merge it, begin again. */
const mergeNaively = (tokens: Int32Array, rule: MergeRule): Int32Array => {
  const sequence = [...tokens]
  for (;;) {
    let best: { readonly at: number; readonly token: number; readonly score: number } | undefined
    for (let at = 0; at + 1 < sequence.length; at++) {
      const merge = rule(sequence[at], sequence[at + 1])
      if (merge !== undefined && (best === undefined || merge.score > best.score)) {
        best = { at, ...merge }
      }
    }
    if (best === undefined) return Int32Array.from(sequence)
    sequence.splice(best.at, 2, best.token)
  }
}

describe("mergePairs", () => {
  it.prop(
    "merges as the exhaustive search does, with ties and with chains of merges",
    {
      // Letters 0 to 3; merges make 4, 5, … from earlier tokens; few scores, so that ties are common.
      merges: Arbitrary.array(
        Arbitrary.all([
          Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 999 }))),
          Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 999 }))),
          Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: -3, maximum: 3 }))),
        ]),
        { maxLength: 30 },
      ),
      letters: Arbitrary.array(
        Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 }))),
        { maxLength: 60 },
      ),
    },
    ({ merges, letters }) => {
      const table = new Map<string, { token: number; score: number }>()
      merges.forEach(([a, b, score], i) => {
        const pair = `${a % (4 + i)} ${b % (4 + i)}`
        if (!table.has(pair)) table.set(pair, { token: 4 + i, score })
      })
      const rule: MergeRule = (left, right) => table.get(`${left} ${right}`)
      const tokens = Int32Array.from(letters)
      assert.deepStrictEqual(mergePairs(tokens, rule), mergeNaively(tokens, rule))
    },
    { arbitrary: { runs: 500 } },
  )

  it("takes the leftmost of equal pairs", () => {
    const rule: MergeRule = (left, right) =>
      left === 0 && right === 0 ? { token: 1, score: 0 } : undefined
    assert.deepStrictEqual([...mergePairs(Int32Array.of(0, 0, 0), rule)], [1, 0])
  })

  it("takes a long text in its stride", () => {
    const rule: MergeRule = (left, right) =>
      left === right && left < 16 ? { token: left + 1, score: -left } : undefined
    const merged = mergePairs(new Int32Array(1 << 18), rule)
    assert.deepStrictEqual([...merged], [16, 16, 16, 16])
  })

  it("leaves the empty sequence empty", () => {
    assert.strictEqual(mergePairs(new Int32Array(0), () => undefined).length, 0)
  })
})
