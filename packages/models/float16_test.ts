import { assert, describe, it } from "@effect/vitest"
import { floatOfBrain, floatOfHalf } from "./float16.ts"

describe("16-bit floats", () => {
  it("have the values of IEEE 754 binary16", () => {
    const values: ReadonlyArray<readonly [number, number]> = [
      [0x0000, 0],
      [0x8000, -0],
      [0x3c00, 1],
      [0xc000, -2],
      [0x7bff, 65504],
      [0x0001, 2 ** -24],
      [0x03ff, 1023 * 2 ** -24],
      [0x0400, 2 ** -14],
      [0x3555, 0.333251953125],
      [0x7c00, Number.POSITIVE_INFINITY],
      [0xfc00, Number.NEGATIVE_INFINITY],
      [0x7e00, Number.NaN],
    ]
    for (const [bits, value] of values) {
      assert.isTrue(Object.is(floatOfHalf(bits), value), `0x${bits.toString(16)}`)
    }
  })

  it("grow with their bits over the whole range", () => {
    for (let bits = 1; bits < 0x7c00; bits++) {
      if (!(floatOfHalf(bits) > floatOfHalf(bits - 1))) assert.fail(`0x${bits.toString(16)}`)
      if (floatOfHalf(bits | 0x8000) !== -floatOfHalf(bits)) assert.fail(`sign of ${bits}`)
    }
  })

  it("have the values of bfloat16", () => {
    assert.strictEqual(floatOfBrain(0x3f80), 1)
    assert.strictEqual(floatOfBrain(0xc049), -3.140625)
    assert.strictEqual(floatOfBrain(0x7f80), Number.POSITIVE_INFINITY)
    assert.isNaN(floatOfBrain(0x7fc0))
  })
})
