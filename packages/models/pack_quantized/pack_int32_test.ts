import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { makeRandom } from "../random.ts"
import { packColumns, packRows, unpackColumns, unpackRows, wordsFor } from "./pack_int32.ts"

const Extent = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 }))

describe("words of 32 bits", () => {
  it("are those that compressed-tensors gives as its example", () => {
    // 1 and 2 at 8 bits are 129 and 130, which make 33409.
    assert.deepStrictEqual(packRows(Uint8Array.of(129, 130), 1, 2, 8), Int32Array.of(33409))
  })

  // Computed with NumPy from the rules that pack_to_int32 documents, on signed numbers: add half the
  // range, pad the packed dimension with zeros, shift by position, add up.
  const golden = {
    4: {
      rows: [-2081861723, 1837, -95373796, 3732, 1640443267, 1291],
      columns: [-1621420077, 1814619296, 2003, 1184],
    },
    8: {
      rows: [
        1951345157, 149143193, 7819821, 199672220, -1619372752, 977348, -1568843725, 907144391,
        10846299,
      ],
      columns: [1362566403, 1581525520, -1180727957, -961768840, 519635, 1374944],
    },
  } as const
  for (const bits of [4, 8] as const) {
    it(`of ${bits} bits are those of an independent program`, () => {
      const range = 2 ** bits
      const codes = Uint8Array.from({ length: 33 }, (_, i) => (i * 37 + 5) % range)
      assert.deepStrictEqual(packRows(codes, 3, 11, bits), Int32Array.from(golden[bits].rows))
      const zeros = Uint8Array.from({ length: 22 }, (_, i) => (i * 13 + 3) % range)
      const columns = Int32Array.from(golden[bits].columns)
      assert.deepStrictEqual(packColumns(zeros, 11, 2, bits), columns)
    })
  }

  it.prop(
    "give back what was packed, at the size that the bits take",
    {
      rows: Arbitrary.schema(Extent),
      columns: Arbitrary.schema(Extent),
      bits: Arbitrary.schema(Schema.Literals([4, 8])),
    },
    ({ rows, columns, bits }) => {
      const random = makeRandom(rows * 100 + columns)
      const codes = Uint8Array.from({ length: rows * columns }, () => random.below(2 ** bits))
      const along = packRows(codes, rows, columns, bits)
      assert.strictEqual(along.length, rows * Math.ceil((columns * bits) / 32))
      assert.deepStrictEqual(unpackRows(along, rows, columns, bits), codes)
      const across = packColumns(codes, rows, columns, bits)
      assert.strictEqual(across.length, wordsFor(rows, bits) * columns)
      assert.deepStrictEqual(unpackColumns(across, rows, columns, bits), codes)
    },
  )
})
