import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { constantRate, warmupConstant, warmupCosine, warmupStableDecay } from "./schedules.ts"

const Count = (minimum: number, maximum: number) =>
  Schema.Int.check(Schema.isBetween({ minimum, maximum }))

describe("schedules", () => {
  it("a constant rate is constant", () => {
    assert.deepStrictEqual([1, 2, 1000].map(constantRate(0.3)), [0.3, 0.3, 0.3])
  })

  it("warm up in a line and come down along half a cosine", () => {
    const rate = warmupCosine({ peak: 2, warmup: 4, steps: 12, floor: 0.1 })
    assert.deepStrictEqual([1, 2, 3, 4].map(rate), [0.5, 1, 1.5, 2])
    assert.closeTo(rate(8), (2 * (1 + 0.1)) / 2, 1e-12)
    assert.closeTo(rate(12), 0.2, 1e-12)
  })

  it("stay at the floor after the last step", () => {
    const rate = warmupCosine({ peak: 1, warmup: 0, steps: 5, floor: 0.25 })
    assert.closeTo(rate(5), 0.25, 1e-12)
    assert.strictEqual(rate(50), rate(5))
  })

  it.prop(
    "rise to the peak, then fall, between the floor and the peak",
    [Count(0, 20), Count(1, 60)],
    ([warmup, rest]) => {
      const steps = warmup + rest
      const rate = warmupCosine({ peak: 3, warmup, steps, floor: 0.2 })
      for (let step = 1; step <= steps; step++) {
        assert.isAtMost(rate(step), 3)
        if (step > warmup) assert.isAtLeast(rate(step), 0.6 - 1e-12)
        if (step <= warmup) assert.isAbove(rate(step), rate(step - 1))
        else if (step > warmup + 1) assert.isBelow(rate(step), rate(step - 1))
      }
    },
  )

  it("warm up to a rate that stays", () => {
    const rate = warmupConstant({ peak: 2, warmup: 4 })
    assert.deepStrictEqual([1, 2, 3, 4, 5, 1000].map(rate), [0.5, 1, 1.5, 2, 2, 2])
    assert.deepStrictEqual([1, 2].map(warmupConstant({ peak: 3, warmup: 0 })), [3, 3])
  })

  it("warm up, stay, and come down in a line at the end", () => {
    const rate = warmupStableDecay({ peak: 2, warmup: 2, decay: 4, steps: 10, floor: 0.5 })
    const expected = [1, 2, 2, 2, 2, 2, 1.75, 1.5, 1.25, 1, 1]
    assert.deepStrictEqual(
      expected.map((_, i) => rate(i + 1)),
      expected,
    )
  })

  it("with a stable part do not depend on where they end, before the decay", () => {
    const rates = [20, 50].map((steps) =>
      warmupStableDecay({ peak: 1, warmup: 3, decay: 5, steps }),
    )
    for (let step = 1; step <= 15; step++) assert.strictEqual(rates[0](step), rates[1](step))
  })
})
