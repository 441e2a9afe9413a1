import { assert, describe, it } from "vitest"
import { integers, uniform } from "./inputs.ts"

describe("uniform", () => {
  it("gives the same numbers everywhere", () => {
    // From python/contestant.py, which holds the same formula.
    const expected = [
      -0.16665029525756836, -0.30949026346206665, 0.20208775997161865, 0.08214360475540161,
    ]
    assert.deepStrictEqual(Array.from(uniform({ shape: [2, 2], seed: 7, scale: 0.5 })), expected)
  })

  it("fills its range evenly", () => {
    const values = uniform({ shape: [10_000], seed: 3, scale: 2, offset: 1 })
    assert.isAtLeast(Math.min(...values), -1)
    assert.isBelow(Math.max(...values), 3)
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    assert.closeTo(mean, 1, 0.05)
  })
})

describe("integers", () => {
  it("gives the same numbers everywhere", () => {
    assert.deepStrictEqual(Array.from(integers(5, 7, 512)), [159, 283, 219, 400, 271])
  })
})
