import { assert, describe, it } from "@effect/vitest"
import { HostArray, Interpreter, ShapeError, Spec, Tensor } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { Effect, Result, Schema } from "effect"
import {
  NotTwoOfFour,
  packedTwoOfFourSpec,
  packTwoOfFour,
  twoOfFourLinear,
  unpackTwoOfFour,
} from "./packed_two_of_four.ts"
import { describeTwoOfFour, drawTwoOfFour, manyCases } from "./testing/packed_two_of_four.ts"

const Fours = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 }))

describe("packTwoOfFour", () => {
  it.effect.prop(
    "is undone by unpackTwoOfFour",
    { tiles: Fours, groups: Fours, seed: Schema.Int },
    ({ tiles, groups, seed }) =>
      Effect.gen(function* () {
        const weight = drawTwoOfFour(4 * tiles, 4 * groups, seed)
        const packed = yield* Effect.fromResult(packTwoOfFour(weight))
        assert.deepStrictEqual(Spec.of(packed), packedTwoOfFourSpec(4 * tiles, 4 * groups))
        assert.deepStrictEqual(unpackTwoOfFour(packed), weight)
      }),
  )

  it("takes 17 bytes where the dense weight takes 32", () => {
    const { values, places } = Result.getOrThrow(packTwoOfFour(drawTwoOfFour(64, 256, 1)))
    assert.strictEqual(values.data.byteLength + places.data.byteLength, (64 * 256 * 4 * 17) / 32)
  })

  it("keeps values to the bit, even those that are no numbers", () => {
    const data = Float32Array.of(NaN, 0, -1e-45, 0, 0, 0, 0, 0, Infinity, 0, 0, 1, 0, -2, 0, 0)
    const packed = Result.getOrThrow(packTwoOfFour(HostArray.make([4, 4], data)))
    assert.deepStrictEqual([...unpackTwoOfFour(packed).data], [...data])
  })

  it("puts the places of a group apart", () => {
    for (const kept of [[], [0], [1], [2], [3]]) {
      const data = new Float32Array(16)
      for (const i of kept) data[i] = 1
      const { places } = Result.getOrThrow(packTwoOfFour(HostArray.make([4, 4], data)))
      for (let output = 0; output < 4; output++) {
        const [word] = places.data
        const at = [0, 8].map((shift) => (word >>> (shift + 2 * output)) & 3)
        assert.notStrictEqual(at[0], at[1])
      }
    }
  })

  it("names the row and the group that keep too many", () => {
    const weight = drawTwoOfFour(8, 16, 2)
    weight.data.set([1, 2, 0, 3], 5 * 16 + 8)
    const found = Result.getOrThrow(Result.flip(packTwoOfFour(weight)))
    assert.instanceOf(found, NotTwoOfFour)
    assert.strictEqual(found.output, 5)
    assert.strictEqual(found.group, 2)
    assert.strictEqual(
      found.message,
      "a weight of shape [8, 16] cannot be packed as 2:4: group 2 of row 5 keeps more than two weights. Prune it with 2:4 first, or leave it dense.",
    )
  })

  it("refuses what does not go in fours", () => {
    for (const shape of [[6, 8], [8, 6], [0, 4], [16], [2, 4, 4]]) {
      const found = packTwoOfFour(HostArray.zeros(shape))
      assert.isTrue(Result.isFailure(found), String(shape))
    }
    assert.isTrue(Result.isFailure(packTwoOfFour(HostArray.zeros([4, 4], "i32"))))
  })
})

describe("twoOfFourLinear", () => {
  it("refuses inputs of another width", () => {
    const packed = Result.getOrThrow(packTwoOfFour(drawTwoOfFour(8, 16, 1)))
    const given = { values: Tensor.fromHost(packed.values), places: Tensor.fromHost(packed.places) }
    assert.throws(() => twoOfFourLinear(Tensor.zeros([1, 12]), given), ShapeError)
    const places = Tensor.zeros([2, 3], "u32")
    assert.throws(() => twoOfFourLinear(Tensor.zeros([1, 16]), { ...given, places }), ShapeError)
  })
})

for (const [name, device] of [
  ["the interpreter", Interpreter.layer],
  ["wasm", wasmLayer({ poison: true, threads: 1 })],
  ["wasm on two threads", wasmLayer({ poison: true, threads: 2 })],
  ["wasm without relaxed SIMD", wasmLayer({ threads: 1, relaxedSimd: false })],
] as const) {
  describeTwoOfFour(name, device, manyCases)
}
