import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { didYouMean, editDistance, suggest } from "./did_you_mean.ts"

const Word = Schema.String.check(Schema.isPattern(/^[abc]{0,6}$/))

describe("editDistance", () => {
  it.effect.prop("is a metric", [Word, Word, Word], ([a, b, c]) =>
    Effect.sync(() => {
      assert.strictEqual(editDistance(a, a), 0)
      assert.strictEqual(editDistance(a, b) === 0, a === b)
      assert.strictEqual(editDistance(a, b), editDistance(b, a))
      assert.isAtMost(editDistance(a, c), editDistance(a, b) + editDistance(b, c))
    }),
  )

  it.effect.prop(
    "lies between the difference and the greater of the lengths",
    [Word, Word],
    ([a, b]) =>
      Effect.sync(() => {
        assert.isAtLeast(editDistance(a, b), Math.abs(a.length - b.length))
        assert.isAtMost(editDistance(a, b), Math.max(a.length, b.length))
      }),
  )

  it("knows single edits, transpositions and edits between transposed letters", () => {
    assert.strictEqual(editDistance("sparsity", "sparisty"), 1)
    assert.strictEqual(editDistance("kitten", "sitting"), 3)
    assert.strictEqual(editDistance("CA", "ABC"), 2)
    assert.strictEqual(editDistance("", "abc"), 3)
  })
})

describe("didYouMean", () => {
  it("takes the nearest, and none where all are far", () => {
    const known = ["sparsity", "samples", "window"]
    assert.strictEqual(didYouMean("sparcity", known), "sparsity")
    assert.strictEqual(didYouMean("Windows", known), "window")
    assert.strictEqual(didYouMean("colour", known), undefined)
    assert.strictEqual(didYouMean("x", []), undefined)
  })

  it.effect.prop("gives one of the candidates", [Word, Schema.Array(Word)], ([word, words]) =>
    Effect.sync(() => {
      const found = didYouMean(word, words)
      assert.isTrue(found === undefined || words.includes(found))
    }),
  )

  it("says what there is", () => {
    assert.strictEqual(suggest("a", [], "steps"), "there are no steps")
    assert.strictEqual(suggest("zz", ["one"], "steps"), "the steps are: one")
    assert.strictEqual(suggest("oen", ["one"], "steps"), 'did you mean "one"? The steps are: one')
  })
})
