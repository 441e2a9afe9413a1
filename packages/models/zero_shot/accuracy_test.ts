import { assert, describe, it } from "@effect/vitest"
import { meanAndError, scoreItem } from "./accuracy.ts"

const likelihoods = (sums: ReadonlyArray<number>) =>
  sums.map((logLikelihood) => ({ logLikelihood, greedy: false }))
const requests = (count: number) =>
  Array.from({ length: count }, () => ({ context: "", continuation: "" }))

describe("scoreItem", () => {
  it("compares sums, and sums per character", () => {
    const item = { requests: requests(3), gold: 1, characters: [2, 12, 4] }
    assert.deepStrictEqual(scoreItem(item, likelihoods([-4, -6, -5])), {
      right: false,
      rightPerCharacter: true,
    })
    assert.deepStrictEqual(scoreItem({ ...item, gold: 0 }, likelihoods([-4, -6, -50])), {
      right: true,
      rightPerCharacter: false,
    })
  })

  it("takes the first of equals", () => {
    assert.isTrue(scoreItem({ requests: requests(2), gold: 0 }, likelihoods([-1, -1])).right)
    assert.isFalse(scoreItem({ requests: requests(2), gold: 1 }, likelihoods([-1, -1])).right)
  })

  it("asks of a single request whether greedy decoding gives it", () => {
    for (const greedy of [true, false]) {
      const score = scoreItem({ requests: requests(1) }, [{ logLikelihood: -2, greedy }])
      assert.deepStrictEqual(score, { right: greedy, logLikelihood: -2 })
    }
  })
})

describe("meanAndError", () => {
  it("has the sample deviation over the root of the count", () => {
    // p = 3/8: variance p(1 − p) · 8/7, over 8.
    const { mean, standardError } = meanAndError([1, 0, 0, 1, 0, 1, 0, 0])
    assert.strictEqual(mean, 3 / 8)
    assert.closeTo(standardError ?? 0, Math.sqrt(((3 / 8) * (5 / 8)) / 7), 1e-15)
  })

  it("has no error of one value", () => {
    assert.deepStrictEqual(meanAndError([1]), { mean: 1 })
  })
})
