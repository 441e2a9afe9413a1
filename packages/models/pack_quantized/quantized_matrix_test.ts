import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { randomMatrix } from "../testing/random_matrix.ts"
import {
  asSymmetric,
  checkQuantizedMatrix,
  dequantizeMatrix,
  isSymmetric,
  reorderRows,
} from "./quantized_matrix.ts"

const Seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }))
const kind = {
  seed: Arbitrary.schema(Seed),
  bits: Arbitrary.schema(Schema.Literals([2, 3, 4, 8])),
  symmetric: Arbitrary.schema(Schema.Boolean),
  groupSize: Arbitrary.schema(Schema.Literals([4, 12])),
}

describe("a quantised matrix", () => {
  it.prop("stands for scale · (code − zero)", kind, (drawn) => {
    const matrix = randomMatrix([3, 12], drawn)
    checkQuantizedMatrix("w", matrix)
    const { shape, data } = dequantizeMatrix(matrix)
    assert.deepStrictEqual(shape, [3, 12])
    data.forEach((weight, i) => {
      const group = Math.floor(i / drawn.groupSize)
      const steps = matrix.codes[i] - matrix.zeroPoints[group]
      assert.strictEqual(weight, Math.fround(matrix.scales[group] * steps))
    })
  })

  it.prop("is the same on a symmetric grid that has its numbers", kind, (drawn) => {
    const matrix = randomMatrix([3, 12], drawn)
    for (const bits of [4, 8] as const) {
      const wide = asSymmetric(matrix, bits)
      const always = drawn.bits < 4 || (drawn.symmetric && drawn.bits <= bits)
      if (always) assert.isDefined(wide)
      if (wide === undefined) continue
      checkQuantizedMatrix("w", wide)
      assert.isTrue(isSymmetric(wide))
      assert.deepStrictEqual(dequantizeMatrix(wide), dequantizeMatrix(matrix))
    }
    const narrow = asSymmetric(randomMatrix([1, 12], { ...drawn, bits: 8 }), 4)
    assert.isUndefined(narrow)
  })

  it("may have its rows in another order", () => {
    const matrix = randomMatrix([3, 4], { seed: 1, bits: 4, symmetric: false, groupSize: 2 })
    const turned = reorderRows(matrix, [2, 0, 1])
    const [before, after] = [dequantizeMatrix(matrix).data, dequantizeMatrix(turned).data]
    assert.deepStrictEqual(after, Float32Array.of(...before.slice(8), ...before.slice(0, 8)))
  })

  it("has parts that belong together", () => {
    const matrix = randomMatrix([2, 8], { seed: 1, bits: 3, symmetric: true, groupSize: 4 })
    const check = (change: object) => () => checkQuantizedMatrix("up", { ...matrix, ...change })
    check({})()
    assert.throws(check({ bits: 5 }), /up \[2, 8\], 5 bits: bits must be/)
    assert.throws(check({ groupSize: 3 }), /groups of 3 do not divide/)
    assert.throws(check({ groupSize: 0 }), RangeError)
    assert.throws(check({ codes: new Uint8Array(15) }), /15 codes/)
    assert.throws(check({ scales: new Float32Array(3) }), /3 scales, not 4/)
    assert.throws(check({ zeroPoints: new Uint8Array(5) }), /5 zero points, not 4/)
    assert.throws(check({ codes: new Uint8Array(16).fill(8) }), /a code is not below 8/)
    assert.throws(check({ zeroPoints: new Uint8Array(4).fill(8) }), /a zero point is not below 8/)
  })
})
