import { assert, describe, it } from "@effect/vitest"
import { stratifiedGroupFolds } from "@espalier/evaluation"
import { withoutData } from "@espalier/testing"
import { groupNearDuplicates } from "./mod.ts"
import { dataItems } from "./testing/data.ts"
import { tinyItems } from "./testing/tiny_items.ts"

describe("groupNearDuplicates", () => {
  it("leaves items alone that have little in common", () => {
    const { pairs, groups } = groupNearDuplicates([
      { claim: "One thing happened there.", context: "Nobody saw it at the time." },
      { claim: "Another thing is said.", context: "That is what the paper wrote." },
    ])
    assert.deepEqual([pairs, groups], [0, [0, 1]])
  })

  it("puts together whoever is alike with one of the group", () => {
    const context = "a b c d e f g h i j k l m n o p q r s t"
    const items = [
      { claim: "first of all claims", context },
      { claim: "something else entirely", context: `${context} u v w` },
      { claim: "something else entirely now", context: "no word of that" },
      { claim: "alone", context: "alone" },
    ]
    const { groups, pairs, items: alike } = groupNearDuplicates(items)
    assert.deepEqual([groups, pairs, alike], [[0, 0, 0, 3], 2, 3])
  })

  it("finds texts shorter than a shingle", () => {
    const { groups } = groupNearDuplicates([
      { claim: "Fake", context: "x" },
      { claim: "fake!", context: "y" },
    ])
    assert.deepEqual(groups, [0, 0])
  })

  it("keeps every near-duplicate of the challenge in one fold: 40 pairs", (context) => {
    if (withoutData !== undefined) return context.skip(withoutData)
    const items = dataItems()
    const { groups, pairs, items: alike } = groupNearDuplicates(items)
    assert.deepEqual([pairs, alike], [40, 71])
    const folds = stratifiedGroupFolds(
      items.map(({ label }, i) => ({ label, group: groups[i] })),
      5,
      0,
    )
    for (let fold = 0; fold < 5; fold++) {
      const [inside, outside] = [true, false].map((here) =>
        items.map((_, i) => i).filter((i) => (folds[i] === fold) === here),
      )
      // Looked at anew, no pair goes across.
      const again = groupNearDuplicates([...inside, ...outside].map((i) => items[i]))
      for (let i = inside.length; i < items.length; i++) {
        assert.isAtLeast(again.groups[i], inside.length)
      }
    }
  })

  it("is quick", () => {
    const items = tinyItems(2000)
    const started = performance.now()
    groupNearDuplicates(items)
    assert.isBelow(performance.now() - started, 20_000)
  })
})
