import { assert, describe, it } from "@effect/vitest"
import { isGlued, vocabularyOf } from "./link_traces.ts"
import { wordsOf } from "./words.ts"

describe("isGlued", () => {
  const known = "in his endorsement speech the governor took a deeper look at the budget"
  const vocabulary = vocabularyOf(Array.from({ length: 30 }, () => wordsOf(known)))
  const glued = (word: string) => isGlued(wordsOf(word)[0], vocabulary)

  it("finds words that lost the space between them", () => {
    for (const word of ["hisendorsement", "lookat", "Deeperlook"]) assert.isTrue(glued(word), word)
  })

  it("takes known and unknown words as they are", () => {
    for (const word of ["endorsement", "governors", "spaceship", "at", "2015"]) {
      assert.isFalse(glued(word), word)
    }
  })
})

describe("vocabularyOf", () => {
  it("counts texts, not words, and forgets what is in one only", () => {
    const vocabulary = vocabularyOf(["a a b", "A c"].map(wordsOf))
    assert.deepEqual([...vocabulary], [["a", 2]])
  })
})
