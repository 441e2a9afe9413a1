import { assert, describe, it } from "@effect/vitest"
import { blockBootstrap } from "./block_bootstrap.ts"
import { mean } from "./bootstrap.ts"
import { uniformNumbers } from "./random_numbers.ts"

/** Normal numbers, each kept in part from the one before: an autoregression of order 1. */
const series = (length: number, kept: number, seed: number): ReadonlyArray<number> => {
  const next = uniformNumbers(seed)
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
  let last = 0
  return Array.from({ length }, () => {
    last = kept * last + Math.sqrt(1 - kept ** 2) * normal()
    return last
  })
}

describe("blockBootstrap", () => {
  it("of independent items has the width of the normal theory, whatever the blocks", () => {
    const items = series(900, 0, 3)
    const deviation = Math.sqrt(mean(items.map((x) => (x - mean(items)) ** 2)))
    for (const block of [1, 8]) {
      const { estimate, low, high } = blockBootstrap(items, mean, { block, resamples: 1000 })
      assert.strictEqual(estimate, mean(items))
      assert.closeTo((high - low) / ((2 * 1.96 * deviation) / 30), 1, 0.12, `blocks of ${block}`)
    }
  })

  it("of a series with memory is as wide as theory says, where single draws are not", () => {
    // The variance of the mean is (1 + φ) / (1 − φ) = 9 times that of independent numbers.
    const items = series(3000, 0.8, 5)
    const width = (block: number) => {
      const { low, high } = blockBootstrap(items, mean, { block, resamples: 500 })
      return high - low
    }
    assert.closeTo(width(40) / width(1), 3, 0.6)
  })

  it("covers the true mean about as often as it says", () => {
    const covered = Array.from({ length: 120 }, (_, seed) => {
      const { low, high } = blockBootstrap(series(300, 0.5, seed), mean, { resamples: 300, seed })
      return low <= 0 && 0 <= high
    })
    assert.isAtLeast(covered.filter(Boolean).length, 103)
  })

  it("repeats itself for a seed, and takes pairs together", () => {
    const items = series(50, 0.3, 9)
    assert.deepStrictEqual(blockBootstrap(items, mean), blockBootstrap(items, mean))
    assert.notDeepEqual(blockBootstrap(items, mean), blockBootstrap(items, mean, { seed: 1 }))
    const pairs = items.map((x) => [x + 0.25, x] as const)
    const { low, high } = blockBootstrap(pairs, (drawn) => mean(drawn.map(([a, b]) => a - b)))
    assert.closeTo(low, 0.25, 1e-12)
    assert.closeTo(high, 0.25, 1e-12)
  })

  it("has no interval where no draw has the statistic", () => {
    const { low, high } = blockBootstrap([], mean)
    assert.deepStrictEqual([low, high], [NaN, NaN])
  })
})
