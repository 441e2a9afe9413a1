import { assert, describe, it } from "@effect/vitest"
import { verdictCueCount, verdictCues } from "./verdict_cues.ts"

/** The four numbers of the first kind of phrase, "no evidence". */
const noEvidence = (sentences: ReadonlyArray<string>) => verdictCues(sentences).slice(0, 4)

describe("verdictCues", () => {
  it("tells how often, early, late and last a phrase is met", () => {
    const plain = "One two three four five."
    const cue = "There was no evidence here."
    assert.deepEqual(noEvidence([plain, plain, plain, plain, plain, plain]), [0, 0, 0, 0])
    // Once in 30 words is ten times in 300: at most 3 count.
    assert.deepEqual(noEvidence([cue, plain, plain, plain, plain, plain]), [3, 1, 0, 0])
    assert.deepEqual(noEvidence([plain, plain, plain, plain, cue, plain]), [3, 0, 1 / 3, 0])
    assert.deepEqual(noEvidence([plain, plain, plain, plain, plain, cue]), [3, 0, 1 / 3, 1])
    const long = `${"word ".repeat(295)}no proof at all.`
    assert.closeTo(noEvidence([long])[0], 300 / 299, 1e-9)
  })

  it("keeps what denies apart from what affirms", () => {
    const of = (sentence: string) =>
      verdictCues([sentence]).flatMap((value, i) => (i % 4 === 3 && value > 0 ? [(i - 3) / 4] : []))
    const [notTrue, isTrue] = [1, 8]
    assert.include(of("The picture is not real."), notTrue)
    assert.notInclude(of("The picture is not real."), isTrue)
    assert.include(of("The picture is real."), isTrue)
    assert.notInclude(of("The picture is real."), notTrue)
  })

  it("has as many numbers for a text of no sentences, all 0, and does not depend on calls before", () => {
    assert.deepEqual(
      verdictCues([]),
      Array.from({ length: verdictCueCount }, () => 0),
    )
    const sentences = ["It is a hoax.", "It is fake, fake, fake."]
    assert.deepEqual(verdictCues(sentences), verdictCues(sentences))
  })
})
