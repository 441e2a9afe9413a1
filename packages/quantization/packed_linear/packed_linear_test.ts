import { assert, describe, it } from "@effect/vitest"
import { Interpreter, ShapeError, Spec, Tensor } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { Effect, Schema } from "effect"
import { packedWeightSpec, packWeight, quantizedLinear, unpackWeight } from "./packed_linear.ts"
import { describePacked, drawQuantized, manyCases } from "../testing/packed_linear.ts"
import { Count } from "../testing/schemes.ts"

describe("packWeight", () => {
  it.effect.prop(
    "is undone by unpackWeight, whatever the width",
    {
      outputs: Count(1, 9),
      inputs: Count(1, 200),
      bits: Schema.Literals([2, 3, 4, 8]),
      seed: Schema.Int,
    },
    ({ outputs, inputs, bits, seed }) =>
      Effect.sync(() => {
        const groups = ([32, 64, 128] as const).filter((group) => inputs % group === 0)
        for (const group of [...groups, "channel"] as const) {
          const weight = drawQuantized([outputs, inputs], { bits, group, symmetric: false }, seed)
          const packed = packWeight(weight)
          assert.deepStrictEqual(Spec.of(packed), packedWeightSpec(weight))
          assert.deepStrictEqual(unpackWeight(packed, weight), weight)
        }
      }),
  )

  it("keeps the scales of its own, to the bit", () => {
    const weight = drawQuantized([1, 32], { bits: 4, group: 32, symmetric: false }, 1)
    weight.scales[0] = 1e-45
    const { scales } = packWeight(weight)
    weight.scales[0] = 1
    assert.deepStrictEqual([...scales.data], [Math.fround(1e-45)])
  })

  it("takes 4 or 8 bits for a code, and 40 for a group", () => {
    for (const [bits, bytes] of [
      [2, 64],
      [3, 64],
      [4, 64],
      [8, 128],
    ] as const) {
      const weight = drawQuantized([8, 128], { bits, group: 64, symmetric: false }, 1)
      const { codes, scales, zeros } = packWeight(weight)
      assert.strictEqual(codes.data.byteLength, 8 * bytes)
      assert.strictEqual(scales.data.byteLength + zeros.data.byteLength, 8 * 2 * 5)
    }
  })
})

describe("quantizedLinear", () => {
  const given = (inputs: number, group: 32 | "channel") => {
    const shape = [8, inputs] as const
    const spec = packedWeightSpec({ shape, scheme: { bits: 4, group, symmetric: false } })
    return {
      codes: Tensor.zeros(spec.codes.shape, "u32"),
      scales: Tensor.zeros(spec.scales.shape),
      zeros: Tensor.zeros(spec.zeros.shape, "u32"),
    }
  }

  it("refuses inputs of another width", () => {
    for (const [width, group, said] of [
      [33, "channel", "33 to 64 inputs, x has 32"],
      [64, 32, "64 inputs, x has 32"],
    ] as const) {
      assert.throws(() => quantizedLinear(Tensor.zeros([1, 32]), given(width, group)), said)
    }
    assert.throws(() => quantizedLinear(Tensor.zeros([1, 60]), given(64, 32)), ShapeError)
    assert.deepStrictEqual(
      quantizedLinear(Tensor.zeros([2, 60]), given(64, "channel")).shape,
      [2, 8],
    )
  })

  it("refuses arrays of different weights", () => {
    const [one, other] = [given(64, "channel"), given(64, 32)]
    const x = Tensor.zeros([1, 64])
    for (const mixed of [
      { ...one, scales: other.scales },
      { ...one, zeros: other.zeros },
      { ...one, codes: Tensor.zeros([2, 2, 5, 4], "u32") },
      { ...one, codes: Tensor.zeros([3, 2, 4, 4], "u32") },
    ]) {
      assert.throws(() => quantizedLinear(x, mixed), /not the arrays of a packed weight/)
    }
  })
})

for (const [name, device] of [
  ["the interpreter", Interpreter.layer],
  ["wasm", wasmLayer({ poison: true, threads: 1 })],
  ["wasm on two threads", wasmLayer({ poison: true, threads: 2 })],
  ["wasm without relaxed SIMD", wasmLayer({ threads: 1, relaxedSimd: false })],
] as const) {
  describePacked(name, device, manyCases)
}
