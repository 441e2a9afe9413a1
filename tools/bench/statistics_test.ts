import { assert, describe, it } from "vitest"
import { median, summarize } from "./statistics.ts"

describe("median", () => {
  it("is the middle of an odd number of values, in any order", () => {
    assert.strictEqual(median([9, 1, 5]), 5)
  })

  it("is half-way between the two in the middle otherwise", () => {
    assert.strictEqual(median([1, 10, 2, 4]), 3)
  })

  it("is not moved by one slow round", () => {
    assert.strictEqual(median([1, 1, 1, 1, 1000]), 1)
  })

  it("is not a number without values", () => {
    assert.isNaN(median([]))
  })
})

describe("summarize", () => {
  it("keeps the extremes and the count", () => {
    const expected = { median: 2, minimum: 1, maximum: 7, rounds: 3 }
    assert.deepStrictEqual(summarize([7, 1, 2]), expected)
  })
})
