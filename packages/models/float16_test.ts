import { assert, describe, it } from "@effect/vitest"
import { brainsOfFloats, floatsOfBrains, floatsOfHalves, halvesOfFloats } from "./float16.ts"

type ToFloats = (bits: Uint16Array, floats: Float32Array) => void
type ToBits = (floats: Float32Array, bits: Uint16Array) => void

const allBits = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits)

const decoded = (convert: ToFloats, bits: Uint16Array) => {
  const floats = new Float32Array(bits.length)
  convert(bits, floats)
  return floats
}
const encoded = (convert: ToBits, floats: ReadonlyArray<number> | Float32Array) => {
  const bits = new Uint16Array(floats.length)
  convert(Float32Array.from(floats), bits)
  return bits
}

const formats = [
  {
    name: "binary16",
    toFloats: floatsOfHalves,
    toBits: halvesOfFloats,
    infinity: 0x7c00,
    overflow: 65520,
  },
  {
    name: "bfloat16",
    toFloats: floatsOfBrains,
    toBits: brainsOfFloats,
    infinity: 0x7f80,
    overflow: 2 ** 128 - 2 ** 119,
  },
] as const

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
    const floats = decoded(floatsOfHalves, allBits)
    for (const [bits, value] of values) {
      assert.isTrue(Object.is(floats[bits], value), `0x${bits.toString(16)}`)
    }
  })

  it("have the values of bfloat16", () => {
    const floats = decoded(floatsOfBrains, allBits)
    assert.strictEqual(floats[0x3f80], 1)
    assert.strictEqual(floats[0xc049], -3.140625)
    assert.strictEqual(floats[0x7f80], Number.POSITIVE_INFINITY)
    assert.isNaN(floats[0x7fc0])
  })

  for (const { name, toFloats, toBits, infinity, overflow } of formats) {
    const floats = decoded(toFloats, allBits)

    it(`${name} grow with their bits over the whole range`, () => {
      for (let bits = 1; bits <= infinity; bits++) {
        if (!(floats[bits] > floats[bits - 1])) assert.fail(`0x${bits.toString(16)}`)
        if (floats[bits | 0x8000] !== -floats[bits]) assert.fail(`sign of ${bits}`)
      }
    })

    it(`${name} come back from their values, NaN as NaN`, () => {
      const back = encoded(toBits, floats)
      for (const bits of allBits) {
        const same = back[bits] === bits
        const bothNaN = Number.isNaN(floats[bits]) && (back[bits] & 0x7fff) > infinity
        if (!same && !bothNaN) assert.fail(`0x${bits.toString(16)} ${back[bits]}`)
      }
    })

    it(`${name} are the nearest numbers, ties to even`, () => {
      // Between each two neighbours: the middle, and the f32 just below and just above it.
      const middles = new Float32Array(3 * (infinity - 1))
      const wide = new Uint32Array(middles.buffer)
      for (let bits = 0; bits < infinity - 1; bits++) {
        middles.fill((floats[bits] + floats[bits + 1]) / 2, 3 * bits, 3 * bits + 3)
        wide[3 * bits]--
        wide[3 * bits + 2]++
      }
      const nearest = encoded(toBits, middles)
      const negative = encoded(
        toBits,
        middles.map((value) => -value),
      )
      for (let bits = 0; bits < infinity - 1; bits++) {
        const even = bits + (bits & 1)
        for (const [i, expected] of [bits, even, bits + 1].entries()) {
          if (nearest[3 * bits + i] !== expected) assert.fail(`0x${bits.toString(16)} ${i}`)
          if (negative[3 * bits + i] !== (expected | 0x8000)) assert.fail(`sign of ${bits} ${i}`)
        }
      }
    })

    it(`${name} overflow to infinity half a unit above the largest`, () => {
      const below = new Float32Array([overflow])
      new Uint32Array(below.buffer)[0]--
      assert.deepStrictEqual([...encoded(toBits, [below[0], overflow])], [infinity - 1, infinity])
      assert.deepStrictEqual(
        [...encoded(toBits, [-overflow, Infinity])],
        [infinity | 0x8000, infinity],
      )
    })
  }
})
