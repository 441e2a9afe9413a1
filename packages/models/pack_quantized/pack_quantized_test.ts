import { assert, describe, it } from "@effect/vitest"
import { HostArray } from "@espalier/tensor"
import { Arbitrary, Result, Schema } from "effect"
import { makeRandom } from "../random.ts"
import { randomMatrix } from "../testing/random_matrix.ts"
import { decodePackQuantized } from "./decode.ts"
import type { PackableTensors, PackOptions } from "./encode.ts"
import { encodePackQuantized } from "./encode.ts"
import type { QuantizedMatrix } from "./quantized_matrix.ts"
import { asSymmetric, dequantizeMatrix } from "./quantized_matrix.ts"
import type { RawTensor } from "./raw_safetensors.ts"
import { decodeRawSafetensors, encodeRawSafetensors } from "./raw_safetensors.ts"

const dense = new Map([["norm.weight", HostArray.make([3], Float32Array.of(1, 2, 3))]])

const encode = (tensors: PackableTensors, options?: PackOptions) =>
  Result.getOrThrow(encodePackQuantized(tensors, options))
const decode = (tensors: ReadonlyMap<string, RawTensor>, config: unknown) =>
  Result.getOrThrow(decodePackQuantized(tensors, config, "m.safetensors"))

/** Through the bytes of a file. */
const roundTrip = (tensors: PackableTensors, options?: PackOptions) => {
  const packed = encode(tensors, options)
  const bytes = encodeRawSafetensors(packed.tensors, { format: "pt" })
  const config: unknown = JSON.parse(JSON.stringify(packed.quantizationConfig))
  const raw = Result.getOrThrow(decodeRawSafetensors(bytes, "m.safetensors"))
  assert.deepStrictEqual(encodeRawSafetensors(raw, { format: "pt" }), bytes)
  return decode(raw, config)
}

const Seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }))

describe("the layout pack-quantized", () => {
  it.prop(
    "gives codes, scales and zero points back, bit for bit",
    {
      seed: Arbitrary.schema(Seed),
      bits: Arbitrary.schema(Schema.Literals([4, 8])),
      symmetric: Arbitrary.schema(Schema.Boolean),
      groupSize: Arbitrary.schema(Schema.Literals([5, 15])),
      outputs: Arbitrary.schema(Schema.Literals([1, 7, 8, 11])),
      scaleDtype: Arbitrary.schema(Schema.Literals(["F32", "F16"])),
    },
    ({ outputs, scaleDtype, ...drawn }) => {
      const matrix = randomMatrix([outputs, 15], drawn)
      const tensors = { dense, quantized: new Map([["a.b.weight", matrix]]) }
      assert.deepStrictEqual(roundTrip(tensors, { scaleDtype }), tensors)
    },
    { arbitrary: { runs: 60 } },
  )

  it.prop("gives 2 and 3 bits back as 4 that stand for the same", [Seed], ([seed]) => {
    for (const bits of [2, 3] as const) {
      const matrix = randomMatrix([3, 8], { seed, bits, symmetric: seed % 2 === 0, groupSize: 4 })
      const back = roundTrip({ dense, quantized: new Map([["w.weight", matrix]]) })
      const found = back.quantized.get("w.weight")!
      assert.deepStrictEqual(found, asSymmetric(matrix, 4))
      assert.deepStrictEqual(dequantizeMatrix(found), dequantizeMatrix(matrix))
    }
  })

  it("has the tensors and the configuration of compressed-tensors", () => {
    const matrix = randomMatrix([11, 16], { seed: 1, bits: 4, symmetric: false, groupSize: 8 })
    const { tensors, quantizationConfig } = encode({
      dense,
      quantized: new Map([["q.weight", matrix]]),
    })
    const listed = [...tensors].map(
      ([name, { dtype, shape }]) => `${name} ${dtype} [${shape.join()}]`,
    )
    assert.deepStrictEqual(listed, [
      "norm.weight F32 [3]",
      "q.weight_packed I32 [11,2]",
      "q.weight_scale F32 [11,2]",
      "q.weight_shape I64 [2]",
      "q.weight_zero_point I32 [2,2]",
    ])
    assert.deepStrictEqual(quantizationConfig, {
      quant_method: "compressed-tensors",
      format: "pack-quantized",
      quantization_status: "compressed",
      config_groups: {
        group_0: {
          targets: ["Linear"],
          weights: {
            num_bits: 4,
            type: "int",
            symmetric: false,
            strategy: "group",
            group_size: 8,
            dynamic: false,
            actorder: null,
          },
          input_activations: null,
          output_activations: null,
        },
      },
      ignore: ["lm_head"],
      kv_cache_scheme: null,
    })
    const channel = randomMatrix([4, 16], { seed: 1, bits: 8, symmetric: true, groupSize: 16 })
    const other = encode({ dense, quantized: new Map([["q.weight", channel]]) })
    assert.isFalse(other.tensors.has("q.weight_zero_point"))
    const text = JSON.stringify(other.quantizationConfig)
    assert.include(text, `"symmetric":true,"strategy":"channel","group_size":null`)
  })

  it("has a group for each kind of weight, which names its linears", () => {
    const kinds = [
      ["a", { bits: 4, symmetric: true, groupSize: 8 }],
      ["b", { bits: 4, symmetric: false, groupSize: 8 }],
      ["c", { bits: 8, symmetric: true, groupSize: 16 }],
      ["d", { bits: 4, symmetric: true, groupSize: 8 }],
    ] as const
    const quantized = new Map<string, QuantizedMatrix>(
      kinds.map(([name, kind]) => [`${name}.weight`, randomMatrix([3, 16], { seed: 1, ...kind })]),
    )
    const { quantizationConfig } = encode({ dense, quantized })
    const groups: Record<string, { targets: unknown }> = JSON.parse(
      JSON.stringify(quantizationConfig["config_groups"]),
    )
    assert.deepStrictEqual(
      Object.values(groups).map(({ targets }) => targets),
      [["a", "d"], ["b"], ["c"]],
    )
    assert.deepStrictEqual(roundTrip({ dense, quantized }).quantized, quantized)
  })

  it("lies in files with wide numbers first, at multiples of their width", () => {
    const matrix = randomMatrix([3, 8], { seed: 1, bits: 4, symmetric: true, groupSize: 8 })
    const { tensors } = encode(
      { dense, quantized: new Map([["z.weight", matrix]]) },
      { dtype: "F16", scaleDtype: "BF16" },
    )
    const file = encodeRawSafetensors(tensors)
    const back = Result.getOrThrow(decodeRawSafetensors(file, "m"))
    const widths: Record<string, number> = { I64: 8, I32: 4, F16: 2, BF16: 2 }
    for (const { dtype, bytes } of back.values()) {
      assert.strictEqual(bytes.byteOffset % widths[dtype], 0)
    }
    assert.deepStrictEqual([...back.keys()][0], "z.weight_shape")
    const wrong = { dtype: "I32", shape: [2], bytes: new Uint8Array(4) }
    assert.throws(() => encodeRawSafetensors(new Map([["w", wrong]])), /4 bytes, not 8/)
    const strange = { ...wrong, dtype: "Q4" }
    assert.throws(() => encodeRawSafetensors(new Map([["w", strange]])), /Q4, which has no width/)
  })

  it("does not take what it cannot say", () => {
    const matrix = randomMatrix([3, 8], { seed: 1, bits: 4, symmetric: true, groupSize: 8 })
    const failure = (tensors: PackableTensors, options?: PackOptions) =>
      Result.getOrThrow(Result.flip(encodePackQuantized(tensors, options)))
    const named = failure({ dense, quantized: new Map([["w", matrix]]) })
    assert.match(named.message, /w cannot be packed: expected a name that ends in \.weight/)
    const both = failure({ dense, quantized: new Map([["norm.weight", matrix]]) })
    assert.match(both.message, /norm\.weight cannot be packed: expected one kind/)
    const huge = { ...matrix, scales: Float32Array.of(1, 1e6, 1) }
    const overflow = failure(
      { dense, quantized: new Map([["w.weight", huge]]) },
      { scaleDtype: "F16" },
    )
    assert.deepInclude(overflow, { _tag: "UnstorableWeight", tensor: "w.weight", value: 1e6 })
    const nan = { ...matrix, scales: Float32Array.of(1, Number.NaN, 1) }
    const damaged = failure({ dense, quantized: new Map([["w.weight", nan]]) })
    assert.deepInclude(damaged, { _tag: "UnstorableWeight", quantity: "scale", dtype: "F32" })
    const large = new Map([["norm.weight", HostArray.make([1], Float32Array.of(7e4))]])
    const weight = failure({ dense: large, quantized: new Map() }, { dtype: "F16" })
    assert.deepInclude(weight, { tensor: "norm.weight", quantity: "weight", value: 7e4 })
  })
})

describe("files in the layout pack-quantized", () => {
  const matrix = randomMatrix([11, 16], { seed: 1, bits: 4, symmetric: false, groupSize: 8 })
  const { tensors, quantizationConfig } = encode({
    dense,
    quantized: new Map([["q.weight", matrix]]),
  })
  const config: Record<string, unknown> = JSON.parse(JSON.stringify(quantizationConfig))
  const refusal = (change: Readonly<Record<string, RawTensor | undefined>>, other = config) => {
    const changed = new Map(tensors)
    for (const [name, tensor] of Object.entries(change)) {
      if (tensor === undefined) changed.delete(name)
      else changed.set(name, tensor)
    }
    const result = decodePackQuantized(changed, other, "m.safetensors")
    const error = Result.getOrThrow(Result.flip(result))
    assert.strictEqual(error._tag, "CheckpointFormatError")
    return error.message
  }
  const part = (name: string, change: Partial<RawTensor>) => {
    const whole = { ...tensors.get(`q.weight_${name}`)!, ...change }
    return { [`q.weight_${name}`]: whole }
  }
  const sizes = (outputs: bigint, inputs: bigint) =>
    part("shape", { bytes: new Uint8Array(BigInt64Array.of(outputs, inputs).buffer) })

  it("with parts that do not belong together are refused", () => {
    assert.match(refusal({ "q.weight_scale": undefined }), /q\.weight_scale.*no such tensor/)
    assert.match(refusal({ "q.weight_shape": undefined }), /q\.weight_shape in I64 \[2\]/)
    assert.match(refusal({ "q.weight_zero_point": undefined }), /zero_point in I32 \[2, 2\]/)
    assert.match(refusal({ "q.weight_packed": undefined }), /q\.weight_zero_point|in F32, F16/)
    assert.match(refusal(part("scale", { shape: [22] })), /\[11, 2\], found F32 \[22\]/)
    assert.match(refusal(part("packed", { dtype: "F32" })), /packed in I32, found F32/)
    assert.match(refusal(part("packed", { shape: [22] })), /found I32 \[22\]/)
    assert.match(refusal(part("zero_point", { shape: [4, 1] })), /found I32 \[4, 1\]/)
    for (const [outputs, inputs] of [
      [12n, 16n],
      [11n, 17n],
      [11n, -1n],
      [11n, 0n],
      [2n ** 62n, 2n ** 62n],
    ] as const) {
      assert.match(refusal(sizes(outputs, inputs)), /weight_packed \[.*found I32 \[11, 2\]/)
    }
    assert.match(refusal(sizes(11n, 15n)), /in groups of 8, found 15 inputs/)
    const weight = { dtype: "F32", shape: [1], bytes: new Uint8Array(4) }
    assert.match(refusal({ "q.weight": weight }), /q\.weight packed or not, found both/)
    const order = { dtype: "I32", shape: [1], bytes: new Uint8Array(4) }
    assert.match(refusal({ "q.weight_g_idx": order }), /q\.weight_g_idx in F32, F16, BF16/)
  })

  it("with another configuration are refused", () => {
    const groups = (change: object, weights: object = {}) => {
      const text = JSON.stringify(config["config_groups"])
      const { group_0: group }: { group_0: { weights: object } } = JSON.parse(text)
      const changed = { ...group, ...change, weights: { ...group.weights, ...weights } }
      return { ...config, config_groups: { group_0: changed } }
    }
    const refused: ReadonlyArray<readonly [Record<string, unknown>, RegExp]> = [
      [{}, /quant_method "compressed-tensors", found no such key/],
      [{ ...config, quant_method: "gptq" }, /quant_method "compressed-tensors", found "gptq"/],
      [{ ...config, format: "marlin-24" }, /format "pack-quantized", found "marlin-24"/],
      [{ ...config, config_groups: {} }, /at least one group/],
      [{ ...config, kv_cache_scheme: { num_bits: 8 } }, /kv_cache_scheme/],
      [groups({}, { num_bits: 3 }), /integers of 4 or 8 bits.*num_bits/],
      [groups({}, { type: "float" }), /type/],
      [groups({}, { strategy: "tensor" }), /strategy/],
      [groups({}, { group_size: null }), /a positive group_size in group_0, found null/],
      [groups({}, { group_size: -1 }), /positive group_size/],
      [groups({}, { group_size: 3 }), /in groups of 3, found 16 inputs/],
      [groups({}, { num_bits: 8 }), /at 8 bits, found I32 \[11, 2\]/],
      [groups({ input_activations: { num_bits: 8 } }), /input_activations/],
      [groups({}, { symmetric: true }), /q\.weight_zero_point in F32, F16, BF16, found I32/],
    ]
    for (const [other, message] of refused) assert.match(refusal({}, other), message)
    const two = {
      ...config,
      config_groups: Object.fromEntries(
        ["x", "y"].map((target, i) => [
          `group_${i}`,
          { ...Object.values(groups({}).config_groups)[0], targets: [target] },
        ]),
      ),
    }
    assert.match(refusal({}, two), /a group for q\.weight, found none that names it/)
  })

  it.prop(
    "with changed bytes are read or refused, and nothing else",
    [Seed],
    ([seed]) => {
      const random = makeRandom(seed)
      const bytes = encodeRawSafetensors(tensors)
      for (let change = 0; change < 1 + random.below(3); change++) {
        bytes[random.below(bytes.length)] = random.below(256)
      }
      const result = Result.flatMap(decodeRawSafetensors(bytes, "m"), (raw) =>
        decodePackQuantized(raw, config, "m"),
      )
      if (Result.isFailure(result)) {
        assert.strictEqual(result.failure._tag, "CheckpointFormatError")
      }
    },
    { arbitrary: { runs: 500 } },
  )
})
