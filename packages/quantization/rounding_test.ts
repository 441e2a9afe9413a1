import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { clampCode, roundToEven } from "./rounding.ts"

describe("roundToEven", () => {
  it("takes the even one of two that are as near", () => {
    const given = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 126.5, 127.5]
    assert.deepStrictEqual(
      // There is no −0 among codes.
      given.map((value) => roundToEven(value) + 0),
      [-2, -2, 0, 0, 2, 2, 4, 126, 128],
    )
  })

  it.effect.prop(
    "is the nearest whole number",
    [Schema.Finite.check(Schema.isBetween({ minimum: -1e9, maximum: 1e9 }))],
    ([value]) =>
      Effect.sync(() => {
        const rounded = roundToEven(value)
        assert.isTrue(Number.isInteger(rounded))
        assert.isAtMost(Math.abs(rounded - value), 0.5)
      }),
  )

  it("leaves what is infinite infinite, and nothing of what is no number", () => {
    assert.deepStrictEqual([roundToEven(Infinity), roundToEven(-Infinity)], [Infinity, -Infinity])
    assert.isNaN(roundToEven(Number.NaN))
  })
})

describe("clampCode", () => {
  it("keeps 0 … the largest code", () => {
    assert.deepStrictEqual(
      [-Infinity, -1, 0, 7, 15, 16, Infinity].map((code) => clampCode(code, 15)),
      [0, 0, 0, 7, 15, 15, 15],
    )
  })
})
