import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { axisScale, positionOn } from "./ticks.ts"

describe("axisScale", () => {
  it("is logarithmic over more than a decade", () => {
    const { type, ticks } = axisScale([16, 400], 8, true)
    assert.strictEqual(type, "log")
    assert.deepStrictEqual(ticks, [20, 50, 100, 200])
    assert.strictEqual(axisScale([16, 34], 8, true).type, "linear")
    assert.strictEqual(axisScale([0, 400], 8, true).type, "linear")
  })

  it("has round ticks and begins at nothing at least", () => {
    const { ticks, domain } = axisScale([0, 0.5], 9, false)
    assert.deepStrictEqual(ticks, [0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert.strictEqual(domain[0], 0)
  })

  it("has room for a single value", () => {
    assert.deepStrictEqual(axisScale([5], 5, true).domain, [4.5, 5.5])
    assert.deepStrictEqual(axisScale([0], 5, true).domain, [0, 1])
  })

  it("spans dozens of decades", () => {
    assert.isAtMost(axisScale([1e-30, 1e30], 6, true).ticks.length, 6)
    for (const values of [
      [5e-324, 1e308],
      [-1e308, 1e308],
      [0, 5e-324],
    ]) {
      const { domain, ticks } = axisScale(values, 6, true)
      assert.isTrue([...domain, ...ticks].every(Number.isFinite))
    }
  })

  const Value = Schema.Finite.check(Schema.isBetween({ minimum: -1e9, maximum: 1e9 }))
  it.prop("holds every value, and few ticks that lie within", [Value, Value], ([a, b]) => {
    for (const log of [true, false]) {
      const scale = axisScale([a, b], 8, log)
      const [low, high] = scale.domain
      assert.isTrue(low <= Math.min(a, b) + 1e-200 && Math.max(a, b) <= high)
      assert.isAtMost(scale.ticks.length, 10)
      for (const value of [a, b, ...scale.ticks]) {
        const position = positionOn(scale, value)
        assert.isTrue(position >= -1e-6 && position <= 1 + 1e-6)
      }
    }
  })
})
