import { assert, describe, it } from "@effect/vitest"
import { brierScore, expectedCalibrationError, reliabilityBins, uniformNumbers } from "./mod.ts"

describe("expectedCalibrationError", () => {
  it("is the gap between confidence and accuracy", () => {
    const sure = [
      [0.9, 0.1],
      [0.9, 0.1],
      [0.9, 0.1],
      [0.9, 0.1],
    ]
    assert.closeTo(expectedCalibrationError(sure, [0, 0, 0, 1]), 0.15, 1e-12)
    assert.closeTo(expectedCalibrationError(sure, [0, 0, 0, 0]), 0.1, 1e-12)
  })

  it("weighs bins by their items", () => {
    const probabilities = [
      [0.95, 0.05],
      [0.95, 0.05],
      [0.95, 0.05],
      [0.55, 0.45],
    ]
    // Three right at .95 and one wrong at .55: 3/4 · .05 + 1/4 · .55.
    assert.closeTo(expectedCalibrationError(probabilities, [0, 0, 0, 1]), 0.175, 1e-12)
    assert.deepEqual(
      reliabilityBins(probabilities, [0, 0, 0, 1]).map(({ items, accuracy }) => [items, accuracy]),
      [
        [1, 0],
        [3, 1],
      ],
    )
  })

  it("is small where outcomes are drawn from the probabilities", () => {
    const next = uniformNumbers(1)
    const probabilities = Array.from({ length: 20_000 }, () => {
      const p = next()
      return [p, 1 - p]
    })
    const truth = probabilities.map(([p]) => (next() < p ? 0 : 1))
    assert.isBelow(expectedCalibrationError(probabilities, truth), 0.02)
  })

  it("puts certainty into the last bin", () => {
    assert.strictEqual(reliabilityBins([[1, 0]], [0])[0].high, 1)
    assert.strictEqual(expectedCalibrationError([[1, 0]], [0]), 0)
  })
})

describe("brierScore", () => {
  it("goes from 0 to 2, and is 2/3 of an even guess among three", () => {
    assert.strictEqual(brierScore([[1, 0, 0]], [0]), 0)
    assert.strictEqual(brierScore([[1, 0, 0]], [1]), 2)
    assert.closeTo(brierScore([[1 / 3, 1 / 3, 1 / 3]], [2]), 2 / 3, 1e-12)
  })
})
