import { assert, describe, it } from "@effect/vitest"
import { HostArray } from "@espalier/tensor"
import { hasData, needsData, readData } from "@espalier/testing"
import { Arbitrary, Result, Schema } from "effect"
import { findRepeatedKey } from "./json_keys.ts"
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts"

const file = (header: unknown, data: ReadonlyArray<number> | number): Uint8Array => {
  const json = new TextEncoder().encode(
    typeof header === "string" ? header : JSON.stringify(header),
  )
  const tail = typeof data === "number" ? new Uint8Array(data) : Uint8Array.from(data)
  const bytes = new Uint8Array(8 + json.length + tail.length)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true)
  bytes.set(json, 8)
  bytes.set(tail, 8 + json.length)
  return bytes
}

const f32 = (shape: ReadonlyArray<number>, from: number, to: number) => ({
  dtype: "F32",
  shape,
  data_offsets: [from, to],
})

const failure = (bytes: Uint8Array) => {
  const result = decodeSafetensors(bytes, "w.safetensors")
  if (Result.isSuccess(result)) throw new Error("accepted")
  return result.failure
}

const Extent = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 }))

describe("safetensors", () => {
  it.prop(
    "come back bit for bit",
    {
      tensors: Arbitrary.array(
        Arbitrary.all([
          Arbitrary.schema(Schema.String),
          Arbitrary.array(Arbitrary.schema(Extent), { maxLength: 3 }),
        ]),
        { maxLength: 6 },
      ),
      metadata: Arbitrary.schema(Schema.Record(Schema.String, Schema.String)),
    },
    ({ tensors, metadata }) => {
      let next = 0
      const map = new Map(
        tensors.map(([name, shape]) => {
          const size = shape.reduce((product, extent) => product * extent, 1)
          const values = Float32Array.from({ length: size }, () => Math.fround(Math.sin(next++)))
          return [name.toWellFormed(), HostArray.make(shape, values)]
        }),
      )
      map.delete("__metadata__")
      const notes = Object.fromEntries(
        Object.entries(metadata).map(([key, value]) => [key.toWellFormed(), value.toWellFormed()]),
      )
      const bytes = encodeSafetensors(map, notes)
      assert.strictEqual(new DataView(bytes.buffer).getUint32(0, true) % 8, 0)
      const back = Result.getOrThrow(decodeSafetensors(bytes, "w.safetensors"))
      assert.deepStrictEqual(new Map(back.tensors), map)
      assert.deepStrictEqual({ ...back.metadata }, notes)
      assert.deepStrictEqual(encodeSafetensors(back.tensors, back.metadata), bytes)
    },
  )

  it("hold half precision exactly", () => {
    const header = {
      h: { dtype: "F16", shape: [2], data_offsets: [0, 4] },
      b: { dtype: "BF16", shape: [1, 2], data_offsets: [4, 8] },
    }
    const bytes = file(header, [0x00, 0x3c, 0x01, 0x00, 0x80, 0x3f, 0x49, 0xc0])
    const { tensors } = Result.getOrThrow(decodeSafetensors(bytes, "w"))
    assert.deepStrictEqual(tensors.get("h"), HostArray.make([2], [1, 2 ** -24]))
    assert.deepStrictEqual(tensors.get("b"), HostArray.make([1, 2], [1, -3.140625]))
  })

  it.prop(
    "are rounded to the numbers of a dtype, which come back",
    [Schema.Literals(["F16", "BF16"])],
    ([dtype]) => {
      const values = Float32Array.from({ length: 15 }, (_, i) => Math.sin(i) * 10 ** (i % 5))
      const tensors = new Map([["w", HostArray.make([3, 5], values)]])
      const rounded = Result.getOrThrow(
        decodeSafetensors(encodeSafetensors(tensors, {}, dtype), "w"),
      ).tensors
      rounded.get("w")!.data.forEach((value, i) => {
        assert.closeTo(
          value,
          values[i],
          Math.abs(values[i]) * (dtype === "F16" ? 2 ** -11 : 2 ** -8),
        )
      })
      const bytes = encodeSafetensors(rounded, {}, dtype)
      const { tensors: again } = Result.getOrThrow(decodeSafetensors(bytes, "w"))
      assert.deepStrictEqual(again, rounded)
    },
  )

  it("are read from any place in a larger buffer", () => {
    const bytes = encodeSafetensors(new Map([["w", HostArray.make([2], [1, 2])]]))
    const moved = Buffer.concat([Buffer.from([1, 2, 3]), bytes]).subarray(3)
    const { tensors } = Result.getOrThrow(decodeSafetensors(moved, "w"))
    assert.deepStrictEqual(tensors.get("w"), HostArray.make([2], [1, 2]))
  })

  const refused: ReadonlyArray<readonly [string, Uint8Array, RegExp]> = [
    ["an empty file", new Uint8Array(0), /0 bytes.*truncated/],
    ["a header beyond the end", file({}, 0).subarray(0, 9), /truncated/],
    ["a header of no length", new Uint8Array(16), /not a safetensors/],
    ["plain text", new TextEncoder().encode("plain text, nothing more"), /not a safetensors/],
    ["broken JSON", file(`{"a":`, 0), /JSON object/],
    ["cut-off data", file({ a: f32([2], 0, 8) }, 7), /expected 8 bytes.*found 7 bytes.*truncated/],
    ["too much data", file({ a: f32([2], 0, 8) }, 9), /expected 8 bytes.*found 9 bytes/],
    ["a range beyond the end", file({ a: f32([2], 0, 8), b: f32([1], 8, 12) }, 8), /12 bytes/],
    [
      "overlapping tensors",
      file({ a: f32([2], 0, 8), b: f32([1], 4, 8) }, 8),
      /b to begin at 8.*inside/,
    ],
    ["a hole", file({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12), /after a hole/],
    ["a wrong size", file({ a: f32([3], 0, 8) }, 8), /12 bytes of a \[3\] F32.*found 8 bytes/],
    ["a backward range", file({ a: f32([1], 4, 0) }, 4), /found -4 bytes/],
    ["a negative extent", file({ a: f32([-1], 0, 4) }, 4), /shape and data_offsets of a/],
    [
      "another dtype",
      file({ a: { ...f32([1], 0, 8), dtype: "I64" } }, 8),
      /a in F32, F16, BF16, found I64/,
    ],
    [
      "an unknown dtype",
      file({ a: { ...f32([1], 0, 4), dtype: "Q4_K" } }, 4),
      /a in .*BF16.*found Q4_K/,
    ],
    [
      "a header longer than anything",
      Uint8Array.from({ length: 32 }, () => 0xff),
      /a length of 18446744073709551615/,
    ],
    [
      "a shape larger than anything",
      file({ a: { ...f32([2 ** 52, 2 ** 52], 0, 8) } }, 8),
      /bytes of a \[4503599627370496, 4503599627370496\] F32, found 8 bytes/,
    ],
    ["a repeated name", file(`{"a":${JSON.stringify(f32([0], 0, 0))},"\\u0061":{}}`, 0), /a twice/],
    ["metadata that are no strings", file({ __metadata__: { a: 1 } }, 0), /__metadata__/],
  ]
  for (const [what, bytes, message] of refused) {
    it(`with ${what} are refused`, () => {
      assert.strictEqual(failure(bytes)._tag, "CheckpointFormatError")
      assert.match(failure(bytes).message, message)
    })
  }

  it("may have no tensor at all", () => {
    assert.strictEqual(Result.getOrThrow(decodeSafetensors(file({}, 0), "w")).tensors.size, 0)
  })

  it("keys are compared within each object", () => {
    assert.strictEqual(
      findRepeatedKey(`{"a":{"b":1,"c":2},"c":["a","a",{"a":"a"}],"d":"a"}`),
      undefined,
    )
    assert.strictEqual(findRepeatedKey(`{"a":[{"b":{"b":1},"c":2,"b":3}]}`), "b")
    assert.strictEqual(findRepeatedKey(`{"a\\"": 1, "x" : "{", "a\\"" : 2}`), 'a"')
  })

  it.skipIf(!hasData)(`of a real network are read${needsData}`, () => {
    const bytes = readData("vision/resnet20.safetensors")
    const { tensors } = Result.getOrThrow(decodeSafetensors(bytes, "resnet20.safetensors"))
    let count = 0
    for (const { data } of tensors.values()) count += data.length
    assert.isAbove(count, 260_000)
    assert.isTrue([...tensors.values()].every(({ data }) => data.every(Number.isFinite)))
  })
})
