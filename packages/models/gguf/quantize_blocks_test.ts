import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { createHash } from "node:crypto"
import { dequantizeBlocks } from "./dequantize_blocks.ts"
import { quantizeBlocks } from "./quantize_blocks.ts"
import { blockSize } from "./tensor_types.ts"

const quantize = (type: "Q4_0" | "Q4_1" | "Q8_0", values: Float32Array) =>
  Result.getOrThrow(quantizeBlocks("w", type, values))

/** Two blocks of mixed signs, one of zeros, one that hardly varies. */
const few = Float32Array.from({ length: 128 }, (_, i) => {
  if (i < 64) return (((i * 7919 + 13) % 257) - 128) / 37
  return i < 96 ? 0 : ((i * 31) % 64) / 1024 + 3
})

/** 4096 blocks, from those whose scale vanishes in half precision up to scales of some hundreds. */
const many = Float32Array.from({ length: 4096 * blockSize }, (_, i) => {
  const uniform = ((i * 2654435761 + 12345) % 2 ** 32) / 2 ** 31 - 1
  return uniform ** 3 * 2 ** ((Math.floor(i / blockSize) % 37) - 30)
})

// Blocks and digests are from a NumPy program written for this test from the rules of ggml's
// quantize_row_*_ref, every operation in float32 and every scale by numpy.float16.
const golden = {
  Q4_0: {
    blocks:
      "ebb6ff225588bbee114477aaddf0336699cca63611ffcb885522ffdca9663300eeba8744" +
      "0080888888888888888888888888888888" +
      "8820b600000000000000000000000000000000",
    digest: "c3aec54abb601e40c19ce2fa3937a453c8a76c9b884bc44eb238cdc051bab364",
  },
  Q4_1: {
    blocks:
      "5337d0c211ddaa875422eebb9865330fcca976440137a6c211eebb885522ffcc99663300ddaa7744" +
      "0000000000000000000000000000000000000000" +
      "111c014237bf37bf26ae26ae159d159d048c048c",
    digest: "424d41e27d78ffe1173bfc29066d7cf0f8f3fb22ff04674c065e805ac9b6ecbb",
  },
  Q8_0: {
    blocks:
      "f9268e5d2efece9f6e3f0fdfb07f4f20f0c091603101d1a2714112e2b3835223f3c3" +
      "b3268f673604d3a1794716e4b3815927f6c4936a3907d6a47c4a19e7b6845c2af9c7" +
      "00000000000000000000000000000000000000000000000000000000000000000000" +
      "2c267e7f7e7f7e7f7e7f7d7f7d7f7d7f7d7e7d7e7d7e7d7e7d7e7d7e7d7e7d7e7d7e",
    digest: "8e086eb2864771b0c1536991acda394f9e7971866c9ab9b3a64377421bec5258",
  },
} as const

const types = ["Q4_0", "Q4_1", "Q8_0"] as const

describe("blocks", () => {
  for (const type of types) {
    it(`of ${type} are those of an independent program, bit for bit`, () => {
      assert.strictEqual(Buffer.from(quantize(type, few)).toString("hex"), golden[type].blocks)
      const digest = createHash("sha256").update(quantize(type, many)).digest("hex")
      assert.strictEqual(digest, golden[type].digest)
    })

    it(`of ${type} stand for weights within a step`, () => {
      const back = dequantizeBlocks(type, quantize(type, many))
      const steps = { Q4_0: 1 / 8, Q4_1: 2 / 15, Q8_0: 1 / 127 }
      for (let first = 0; first < many.length; first += blockSize) {
        const block = many.subarray(first, first + blockSize)
        const extreme = block.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
        // Half a step, or a whole one at the end that Q4_0 cuts off; and what half precision loses.
        const step =
          steps[type] * extreme * (type === "Q4_0" ? 1 : 0.52) + extreme / 1000 + 2 ** -18
        for (let i = 0; i < blockSize; i++) {
          if (!(Math.abs(back[first + i] - block[i]) <= step)) {
            assert.fail(`${back[first + i]} for ${block[i]}, step ${step}`)
          }
        }
      }
    })
  }

  it("of scales that vanish are zeros", () => {
    for (const type of types) {
      for (const tiny of [2 ** -149, 2 ** -128, 2 ** -30]) {
        const values = new Float32Array(blockSize).fill(tiny)
        values[3] = -tiny
        const back = dequantizeBlocks(type, quantize(type, values))
        assert.isTrue(back.every((value) => value === 0))
      }
    }
  })

  it("name the tensor whose scale or minimum half precision cannot hold", () => {
    const huge = new Float32Array(blockSize)
    huge[5] = 1e9
    for (const type of types) {
      const error = Result.getOrThrow(Result.flip(quantizeBlocks("blk.0.up", type, huge)))
      assert.deepInclude(error, { tensor: "blk.0.up", dtype: type, quantity: "scale" })
      assert.match(error.message, /blk\.0\.up has a scale of .* cannot hold\. Keep/)
    }
    const flat = new Float32Array(blockSize).fill(-1e6)
    const error = Result.getOrThrow(Result.flip(quantizeBlocks("w", "Q4_1", flat)))
    assert.deepInclude(error, { quantity: "minimum", value: -1e6 })
  })

  it("are not made of weights that are not finite", () => {
    for (const damaged of [Number.NaN, Infinity, -Infinity]) {
      const values = new Float32Array(blockSize)
      values[31] = damaged
      for (const type of types) {
        const error = Result.getOrThrow(Result.flip(quantizeBlocks("w", type, values)))
        assert.deepInclude(error, { quantity: "weight", value: damaged })
      }
    }
  })
})
