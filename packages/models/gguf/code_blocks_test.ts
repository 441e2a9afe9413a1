import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import type { QuantizedMatrix } from "../pack_quantized/quantized_matrix.ts"
import { dequantizeMatrix } from "../pack_quantized/quantized_matrix.ts"
import { randomMatrix } from "../testing/random_matrix.ts"
import { decodeGgufCodes, encodeGgufCodes, ggufTypesFor } from "./code_blocks.ts"
import { decodeGgufTensor } from "./tensor.ts"

const Seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }))
const kind = {
  seed: Arbitrary.schema(Seed),
  bits: Arbitrary.schema(Schema.Literals([2, 3, 4, 8])),
  symmetric: Arbitrary.schema(Schema.Boolean),
  groupSize: Arbitrary.schema(Schema.Literals([32, 64, 128])),
}

describe("codes in GGUF blocks", () => {
  it.prop("stand for the same weights", kind, (drawn) => {
    const matrix = randomMatrix([3, 256], drawn)
    const weights = dequantizeMatrix(matrix).data
    const types = ggufTypesFor(matrix)
    assert.strictEqual(
      types.length,
      drawn.bits < 4 ? 3 : drawn.bits === 4 ? (drawn.symmetric ? 3 : 2) : Number(drawn.symmetric),
    )
    for (const type of types) {
      const tensor = Result.getOrThrow(encodeGgufCodes("w", matrix, type))
      const back = decodeGgufTensor(tensor).data
      // The scales of the matrix are numbers of half precision; only Q4_1 rounds again.
      if (type !== "Q4_1") assert.deepStrictEqual(back, weights)
      else {
        back.forEach((weight, i) => {
          const scale = matrix.scales[Math.floor(i / matrix.groupSize)]
          assert.closeTo(weight, weights[i], 16 * scale * 2 ** -11)
        })
      }
    }
  })

  it.prop("come back", kind, (drawn) => {
    const matrix = randomMatrix([2, 64], { ...drawn, groupSize: 32, symmetric: true })
    const type = matrix.bits === 8 ? "Q8_0" : "Q4_0"
    const tensor = Result.getOrThrow(encodeGgufCodes("w", matrix, type))
    const back = decodeGgufCodes(tensor)!
    assert.deepStrictEqual(back.scales, matrix.scales)
    if (matrix.bits >= 4) assert.deepStrictEqual(back, matrix)
    assert.deepStrictEqual(Result.getOrThrow(encodeGgufCodes("w", back, type)), tensor)
  })

  it("lie as the blocks of ggml do", () => {
    const matrix: QuantizedMatrix = {
      shape: [1, 32],
      bits: 4,
      groupSize: 32,
      codes: Uint8Array.from({ length: 32 }, (_, i) => (i < 16 ? i : 31 - i)),
      scales: Float32Array.of(0.5),
      zeroPoints: Uint8Array.of(8),
    }
    const { bytes } = Result.getOrThrow(encodeGgufCodes("w", matrix, "Q4_0"))
    assert.strictEqual(Buffer.from(bytes).toString("hex"), "0038f0e1d2c3b4a5968778695a4b3c2d1e0f")
    const one = Result.getOrThrow(encodeGgufCodes("w", matrix, "Q4_1"))
    // The minimum is −0.5 · 8 = −4, 0xc400.
    assert.strictEqual(Buffer.from(one.bytes).toString("hex").slice(0, 8), "003800c4")
  })

  it("fit nowhere in other groups", () => {
    const matrix = randomMatrix([2, 48], { seed: 1, bits: 4, symmetric: true, groupSize: 16 })
    assert.deepStrictEqual(ggufTypesFor(matrix), [])
    assert.throws(() => encodeGgufCodes("w", matrix, "Q4_0"), /Q4_0 does not take w; no type does/)
    const wide = randomMatrix([2, 64], { seed: 1, bits: 8, symmetric: false, groupSize: 32 })
    assert.throws(() => encodeGgufCodes("w", wide, "Q8_0"), RangeError)
  })

  it("have scales that half precision holds, or fail with the tensor's name", () => {
    const matrix = randomMatrix([2, 64], { seed: 1, bits: 4, symmetric: true, groupSize: 64 })
    for (const scale of [1e6, Infinity, Number.NaN]) {
      const scales = Float32Array.of(1, scale)
      const result = encodeGgufCodes("blk.1.attn_q.weight", { ...matrix, scales }, "Q4_0")
      const error = Result.getOrThrow(Result.flip(result))
      assert.deepInclude(error, { tensor: "blk.1.attn_q.weight", quantity: "scale", value: scale })
    }
  })
})
