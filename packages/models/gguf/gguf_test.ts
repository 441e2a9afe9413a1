import { assert, describe, it } from "@effect/vitest"
import { HostArray } from "@espalier/tensor"
import { Arbitrary, Result, Schema } from "effect"
import { makeRandom } from "../random.ts"
import { decodeGgufHeader } from "./decode_header.ts"
import type { Gguf, GgufTensor } from "./gguf.ts"
import { decodeGguf, encodeGguf } from "./gguf.ts"
import type { GgufArray, GgufMetadata, GgufValue } from "./metadata.ts"
import { decodeGgufTensor, encodeGgufTensor } from "./tensor.ts"
import { bytesOfTensor, tensorTypes } from "./tensor_types.ts"
import type { GgufTensorType } from "./tensor_types.ts"

const types = Object.keys(tensorTypes) as ReadonlyArray<GgufTensorType>

/** A value of every type, and arrays of each. */
const everything: GgufMetadata = new Map<string, GgufValue>([
  ["a.uint8", { type: "uint8", value: 255 }],
  ["a.int8", { type: "int8", value: -128 }],
  ["a.uint16", { type: "uint16", value: 65535 }],
  ["a.int16", { type: "int16", value: -32768 }],
  ["a.uint32", { type: "uint32", value: 4294967295 }],
  ["a.int32", { type: "int32", value: -2147483648 }],
  ["a.float32", { type: "float32", value: -0 }],
  ["a.float64", { type: "float64", value: Math.PI }],
  ["a.uint64", { type: "uint64", value: 18446744073709551615n }],
  ["a.int64", { type: "int64", value: -9223372036854775808n }],
  ["a.bool", { type: "bool", value: true }],
  ["a.string", { type: "string", value: "\u2581naïve 🌳" }],
  ["a.uint8s", { type: "array", of: "uint8", values: Uint8Array.of(1, 2) }],
  ["a.int8s", { type: "array", of: "int8", values: Int8Array.of(-1) }],
  ["a.uint16s", { type: "array", of: "uint16", values: Uint16Array.of(1, 65535) }],
  ["a.int16s", { type: "array", of: "int16", values: Int16Array.of(-1, 2) }],
  ["a.uint32s", { type: "array", of: "uint32", values: Uint32Array.of(7) }],
  ["a.int32s", { type: "array", of: "int32", values: Int32Array.of(-7, 0, 7) }],
  ["a.float32s", { type: "array", of: "float32", values: Float32Array.of(0.5, -1e30) }],
  ["a.float64s", { type: "array", of: "float64", values: Float64Array.of(0.1) }],
  ["a.uint64s", { type: "array", of: "uint64", values: BigUint64Array.of(1n) }],
  ["a.int64s", { type: "array", of: "int64", values: BigInt64Array.of(-1n, 1n) }],
  ["a.bools", { type: "array", of: "bool", values: [true, false] }],
  ["a.strings", { type: "array", of: "string", values: ["", "x", "\n"] }],
  [
    "a.arrays",
    {
      type: "array",
      of: "array",
      values: [
        { type: "array", of: "int32", values: Int32Array.of(1) },
        { type: "array", of: "array", values: [] },
      ],
    },
  ],
  ["a.nothing", { type: "array", of: "string", values: [] }],
])

/** A tensor of random bytes; shapes of block types have whole blocks. */
const randomTensor = (seed: number, shapeSeed: ReadonlyArray<number>): GgufTensor => {
  const random = makeRandom(seed)
  const type = types[random.below(types.length)]
  const shape = shapeSeed.map((extent, i) =>
    i === shapeSeed.length - 1 ? extent * tensorTypes[type].block : extent,
  )
  const usable = shape.length === 0 && tensorTypes[type].block > 1 ? "F32" : type
  const length = bytesOfTensor(usable, shape)
  const bytes = Uint8Array.from({ length }, () => random.below(256))
  return { type: usable, shape, bytes }
}

const sample = (): Gguf => ({
  metadata: everything,
  tensors: new Map(
    types.map((type, i) => [
      `tensor.${type}`,
      {
        type,
        shape: [i + 1, 64],
        bytes: new Uint8Array(bytesOfTensor(type, [i + 1, 64])).fill(i + 1),
      },
    ]),
  ),
})

/** What remains of a file: compared by value, wherever its bytes lie. */
const plain = ({ metadata, tensors }: Gguf) => ({
  metadata: new Map(metadata),
  tensors: [...tensors].map(([name, { type, shape, bytes }]) => [
    name,
    { type, shape, bytes: Uint8Array.from(bytes) },
  ]),
})

const decode = (bytes: Uint8Array) => decodeGguf(bytes, "model.gguf")
const failure = (bytes: Uint8Array) => Result.getOrThrow(Result.flip(decode(bytes)))

const Seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }))
const Extent = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 }))

describe("GGUF files", () => {
  it.prop(
    "come back bit for bit",
    {
      tensors: Arbitrary.array(
        Arbitrary.all([
          Arbitrary.schema(Seed),
          Arbitrary.array(Arbitrary.schema(Extent), { maxLength: 4 }),
        ]),
        { maxLength: 6 },
      ),
      alignment: Arbitrary.schema(Schema.Literals([8, 24, 32, 64])),
    },
    ({ tensors, alignment }) => {
      const file: Gguf = {
        metadata: new Map<string, GgufValue>([
          ["general.alignment", { type: "uint32", value: alignment }],
          ...everything,
        ]),
        tensors: new Map(tensors.map(([seed, shape], i) => [`t${i}`, randomTensor(seed, shape)])),
      }
      const bytes = encodeGguf(file)
      const back = Result.getOrThrow(decode(bytes))
      assert.deepStrictEqual(plain(back), plain(file))
      assert.deepStrictEqual(encodeGguf(back), bytes)
    },
    { arbitrary: { runs: 50 } },
  )

  it("are laid out as the format says", () => {
    const file: Gguf = {
      metadata: new Map([["k", { type: "uint8", value: 7 }]]),
      tensors: new Map([["w", { type: "F32", shape: [1, 2], bytes: new Uint8Array(8).fill(9) }]]),
    }
    // magic, version, 1 tensor, 1 value; "k", uint8, 7; "w", 2 dimensions (2, 1), F32, place 0
    const words =
      "47475546" +
      "03000000" +
      "0100000000000000" +
      "0100000000000000" +
      "0100000000000000" +
      "6b" +
      "00000000" +
      "07" +
      "0100000000000000" +
      "77" +
      "02000000" +
      "0200000000000000" +
      "0100000000000000" +
      "00000000" +
      "0000000000000000"
    const found = Buffer.from(encodeGguf(file)).toString("hex")
    assert.strictEqual(words.length / 2, 79)
    assert.strictEqual(found, words + "00".repeat(96 - 79) + "09".repeat(8) + "00".repeat(24))
  })

  it("may begin anywhere in a larger buffer", () => {
    const bytes = encodeGguf(sample())
    const moved = Buffer.concat([Buffer.from([1, 2, 3]), bytes]).subarray(3)
    assert.deepStrictEqual(plain(Result.getOrThrow(decode(moved))), plain(sample()))
  })

  it("of version 2 are the same", () => {
    const bytes = encodeGguf(sample())
    bytes[4] = 2
    assert.deepStrictEqual(plain(Result.getOrThrow(decode(bytes))), plain(sample()))
  })

  it("are known by their first bytes, which may be too few", () => {
    const bytes = encodeGguf(sample())
    const whole = Result.getOrThrow(decodeGgufHeader(bytes, bytes.length, "m"))!
    for (let length = 0; length < whole.dataStart - 31; length++) {
      const part = decodeGgufHeader(bytes.subarray(0, length), bytes.length, "m")
      assert.isUndefined(Result.getOrThrow(part))
    }
    const enough = bytes.subarray(0, whole.dataStart)
    assert.deepStrictEqual(Result.getOrThrow(decodeGgufHeader(enough, bytes.length, "m")), whole)
  })

  it("that are cut off anywhere are refused", () => {
    const bytes = encodeGguf(sample())
    const last = [
      ...Result.getOrThrow(decodeGgufHeader(bytes, bytes.length, "m"))!.tensors.values(),
    ]
    const end = Math.max(...last.map(({ to }) => to))
    for (let length = 0; length < end; length++) {
      assert.strictEqual(failure(bytes.subarray(0, length))._tag, "CheckpointFormatError")
    }
    assert.deepStrictEqual(
      plain(Result.getOrThrow(decode(bytes.subarray(0, end)))),
      plain(sample()),
    )
  })

  it.prop(
    "with changed bytes are read or refused, and nothing else",
    [Seed],
    ([seed]) => {
      const random = makeRandom(seed)
      const bytes = encodeGguf(sample())
      const header = 1600
      for (let change = 0; change < 1 + random.below(4); change++) {
        bytes[random.below(header)] = random.below(4) === 0 ? 255 : random.below(256)
      }
      const result = decode(bytes.subarray(0, bytes.length - random.below(40)))
      if (Result.isFailure(result)) {
        assert.strictEqual(result.failure._tag, "CheckpointFormatError")
        assert.match(result.failure.message, /^model\.gguf: expected .+, found .+\./s)
      } else for (const tensor of result.success.tensors.values()) decodeGgufTensor(tensor)
    },
    { arbitrary: { runs: 1000 } },
  )
})

describe("GGUF writing", () => {
  const one = (name: string, tensor: GgufTensor): Gguf => ({
    metadata: new Map(),
    tensors: new Map([[name, tensor]]),
  })
  const value = (written: GgufValue): Gguf => ({
    metadata: new Map([["k", written]]),
    tensors: new Map(),
  })

  it("refuses what the format cannot say", () => {
    const bytes = new Uint8Array(4)
    const long = "n".repeat(64)
    assert.throws(() => encodeGguf(one(long, { type: "F32", shape: [1], bytes })), /64 bytes/)
    assert.throws(() => encodeGguf(one("w", { type: "F32", shape: [2], bytes })), /4 bytes, not 8/)
    assert.throws(() => encodeGguf(one("w", { type: "Q4_0", shape: [31], bytes })), /whole blocks/)
    const deep = { type: "F32", shape: [1, 1, 1, 1, 1], bytes } as const
    assert.throws(() => encodeGguf(one("w", deep)), /5 dimensions/)
    assert.throws(() => encodeGguf(value({ type: "uint8", value: 256 })), /256 is no uint8/)
    assert.throws(() => encodeGguf(value({ type: "int32", value: 0.5 })), /0.5 is no int32/)
    assert.throws(() => encodeGguf(value({ type: "uint64", value: -1n })), /-1 is no uint64/)
    const wrong: GgufMetadata = new Map([["general.alignment", { type: "uint32", value: 4 }]])
    assert.throws(() => encodeGguf({ metadata: wrong, tensors: new Map() }), /multiple of 8/)
  })

  it("keeps floats that are no numbers", () => {
    const nan: GgufArray = { type: "array", of: "float64", values: Float64Array.of(Number.NaN) }
    for (const written of [{ type: "float64", value: Number.NaN } as const, nan]) {
      const { metadata } = Result.getOrThrow(decode(encodeGguf(value(written))))
      assert.deepStrictEqual(metadata.get("k"), written)
    }
  })
})

describe("tensors of GGUF files", () => {
  const values = Float32Array.from({ length: 96 }, (_, i) => Math.sin(i) * 3)
  const array = HostArray.make([3, 32], values)

  it("keep their numbers where the type has them", () => {
    const f32 = Result.getOrThrow(encodeGgufTensor("w", array, "F32"))
    assert.deepStrictEqual(decodeGgufTensor(f32), array)
    for (const type of ["F16", "BF16"] as const) {
      const once = Result.getOrThrow(encodeGgufTensor("w", array, type))
      const back = decodeGgufTensor(once)
      const twice = Result.getOrThrow(encodeGgufTensor("w", back, type))
      assert.deepStrictEqual(twice, once)
      back.data.forEach((x, i) => assert.closeTo(x, values[i], Math.abs(values[i]) / 200))
    }
  })

  it("are read at any place in a buffer", () => {
    for (const type of types) {
      const tensor = Result.getOrThrow(encodeGgufTensor("w", array, type))
      const moved = new Uint8Array(tensor.bytes.length + 1)
      moved.set(tensor.bytes, 1)
      assert.deepStrictEqual(
        decodeGgufTensor({ ...tensor, bytes: moved.subarray(1) }),
        decodeGgufTensor(tensor),
      )
    }
  })

  it("may hold anything in F32 and BF16, and only finite numbers in F16", () => {
    const wild = HostArray.make([4], Float32Array.of(Number.NaN, Infinity, 1e30, 1))
    assert.isTrue(Result.isSuccess(encodeGgufTensor("w", wild, "F32")))
    assert.isTrue(Result.isSuccess(encodeGgufTensor("w", wild, "BF16")))
    for (const lost of [65520, -1e6, Infinity, Number.NaN]) {
      const one = HostArray.make([2], Float32Array.of(1, lost))
      const error = Result.getOrThrow(Result.flip(encodeGgufTensor("w", one, "F16")))
      assert.deepInclude(error, { tensor: "w", quantity: "weight", value: lost })
    }
    const most = HostArray.make([1], Float32Array.of(65519))
    assert.isTrue(Result.isSuccess(encodeGgufTensor("w", most, "F16")))
  })

  it("have rows of whole blocks", () => {
    const narrow = HostArray.make([32, 3], values)
    assert.throws(() => encodeGgufTensor("w", narrow, "Q8_0"), /rows of w \[32, 3\]/)
  })
})
