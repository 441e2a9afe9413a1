import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { Arrangement } from "./arrangement.ts"
import { gatherRows, placeRows, rowsAndColumns, storedShape } from "./arrangement.ts"

const Count = (minimum: number, maximum: number) =>
  Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const numbered = (count: number) => Float32Array.from({ length: count }, (_, i) => i)

describe("arrangements", () => {
  it("say which row of memory is which row of the file", () => {
    // Two heads of four rows: the first elements of the pairs come first, then the second ones.
    const halfSplit: Arrangement = { kind: "half-split", heads: 2 }
    const piece = new Float32Array(8)
    gatherRows(halfSplit, [8], numbered(8), 0, piece)
    assert.deepStrictEqual([...piece], [0, 2, 1, 3, 4, 6, 5, 7])
    gatherRows({ kind: "transposed" }, [2, 4], numbered(8), 0, piece)
    assert.deepStrictEqual([...piece], [0, 4, 1, 5, 2, 6, 3, 7])
    assert.deepStrictEqual(storedShape({ kind: "transposed" }, [2, 4]), [4, 2])
  })

  it.prop(
    "there and back in any pieces changes nothing",
    {
      kind: Schema.Literals(["plain", "transposed", "half-split"]),
      heads: Count(1, 3),
      half: Count(1, 4),
      columns: Count(1, 5),
      step: Count(1, 7),
    },
    ({ kind, heads, half, columns, step }) => {
      const arrangement: Arrangement = kind === "half-split" ? { kind, heads } : { kind }
      const shape = [2 * heads * half, columns]
      const memory = numbered(shape[0] * shape[1])
      const back = new Float32Array(memory.length)
      const [rows, width] = rowsAndColumns(storedShape(arrangement, shape))
      for (let first = 0; first < rows; first += step) {
        const piece = new Float32Array(Math.min(step, rows - first) * width)
        gatherRows(arrangement, shape, memory, first, piece)
        placeRows(arrangement, shape, piece, first, back)
      }
      assert.deepStrictEqual(back, memory)
    },
  )
})
