import { assert, describe, it } from "@effect/vitest"
import { bootstrapInterval, mean, pairedBootstrap, uniformNumbers } from "./mod.ts"

const normals = (seed: number, count: number, centre: number) => {
  const next = uniformNumbers(seed)
  return Array.from(
    { length: count },
    () => centre + Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  )
}

describe("uniformNumbers", () => {
  it("repeats itself for a seed, differs between seeds and is spread evenly", () => {
    const draw = (seed: number) => {
      const next = uniformNumbers(seed)
      return Array.from({ length: 10_000 }, next)
    }
    assert.deepEqual(draw(3), draw(3))
    assert.notDeepEqual(draw(3), draw(4))
    for (const seed of [0, 1, 2 ** 31, -5]) {
      const values = draw(seed)
      assert.closeTo(mean(values), 0.5, 0.01)
      assert.closeTo(mean(values.map((value) => value * value)), 1 / 3, 0.01)
      assert.isTrue(values.every((value) => value >= 0 && value < 1))
    }
  })
})

describe("bootstrapInterval", () => {
  it("is as wide as theory says of a mean of normal numbers", () => {
    const { estimate, low, high } = bootstrapInterval(normals(1, 400, 5), mean)
    assert.closeTo(estimate, 5, 0.15)
    assert.closeTo(high - low, (2 * 1.96) / 20, 0.04)
  })

  it("holds the truth about as often as it says", () => {
    let held = 0
    for (let trial = 0; trial < 100; trial++) {
      const { low, high } = bootstrapInterval(normals(trial, 60, 0), mean, { resamples: 200 })
      if (low <= 0 && high >= 0) held++
    }
    assert.isAbove(held, 85)
  })

  it("gives the same interval for the same seed", () => {
    const values = normals(2, 30, 0)
    assert.deepEqual(
      bootstrapInterval(values, mean, { seed: 9 }),
      bootstrapInterval(values, mean, { seed: 9 }),
    )
  })

  it("is a point where all items are alike, and widens with the level", () => {
    assert.deepEqual(bootstrapInterval([2, 2, 2], mean), { estimate: 2, low: 2, high: 2 })
    const values = normals(4, 40, 0)
    const width = (level: number) => {
      const { low, high } = bootstrapInterval(values, mean, { level })
      return high - low
    }
    assert.isAbove(width(0.99), width(0.5))
  })
})

describe("pairedBootstrap", () => {
  it("sees a small difference that two intervals would not", () => {
    const worse = normals(5, 100, 0).map((value) => 10 * value)
    const better = worse.map((value, i) => value + 1 + (i % 3) / 10)
    const { estimate, low } = pairedBootstrap(better, worse, mean)
    assert.closeTo(estimate, 1.099, 1e-9)
    assert.isAbove(low, 1)
    assert.isBelow(bootstrapInterval(better, mean).low, bootstrapInterval(worse, mean).high)
  })

  it("refuses systems of different sizes", () => {
    assert.throws(() => pairedBootstrap([1], [1, 2], mean), RangeError)
  })
})
