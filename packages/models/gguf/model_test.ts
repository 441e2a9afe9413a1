import { assert, describe, it } from "@effect/vitest"
import { HostArray } from "@espalier/tensor"
import { Result, Schema } from "effect"
import type { Llama } from "../llama.ts"
import { makeLlama } from "../llama.ts"
import { llamaParameterEntries } from "../llama_parameters.ts"
import { dequantizeMatrix } from "../pack_quantized/quantized_matrix.ts"
import { makeRandom } from "../random.ts"
import { randomMatrix } from "../testing/random_matrix.ts"
import { tinyGpt2 } from "../testing/random_parameters.ts"
import { tinyLlama } from "../testing/tiny.ts"
import { makeLlama2cTokenizer } from "../llama2c_tokenizer.ts"
import { makeVocabulary } from "../testing/vocabulary.ts"
import { decodeGguf, encodeGguf } from "./gguf.ts"
import type { GgufValue } from "./metadata.ts"
import { decodeGgufModel, encodeGgufModel } from "./model.ts"

/** Sizes that blocks of 32 fit, but for the rows of `down`. */
const sizes = {
  dimension: 64,
  hiddenDimension: 40,
  heads: 4,
  keyValueHeads: 2,
  vocabularySize: 300,
}
const small = (change: Parameters<typeof tinyLlama>[0] = {}): Llama =>
  tinyLlama({ ...sizes, ...change })

const encode = (...args: Parameters<typeof encodeGgufModel>) =>
  Result.getOrThrow(encodeGgufModel(...args))
const decode = (bytes: Uint8Array) => Result.getOrThrow(decodeGgufModel(bytes, "m.gguf"))
const failure = (bytes: Uint8Array) =>
  Result.getOrThrow(Result.flip(decodeGgufModel(bytes, "m.gguf")))

const leaves = ({ parameters }: Llama) => new Map(llamaParameterEntries(parameters))

/** The file of a model with other metadata. */
const withMetadata = (change: Readonly<Record<string, GgufValue | undefined>>, model = small()) => {
  const file = Result.getOrThrow(decodeGguf(encode(model).bytes, "m"))
  const metadata = new Map(file.metadata)
  for (const [key, value] of Object.entries(change)) {
    if (value === undefined) metadata.delete(key)
    else metadata.set(key, value)
  }
  return encodeGguf({ ...file, metadata })
}
const uint32 = (value: number): GgufValue => ({ type: "uint32", value })

describe("GGUF files of models", () => {
  it("in F32 give the same model back", () => {
    for (const change of [
      {},
      { tiedEmbeddings: false },
      { attentionBias: true },
      { headDimension: 8 },
      { normEpsilon: 1e-6, ropeTheta: 500000 },
      { ropeScaling: { kind: "linear", factor: 2.5 } },
      {
        ropeScaling: {
          kind: "llama3",
          factor: 8,
          lowFrequencyFactor: 1,
          highFrequencyFactor: 4,
          originalContextLength: 8192,
        },
      },
    ] as const) {
      const model = small(change)
      const { bytes, kept } = encode(model, { type: "F32" })
      const back = decode(bytes)
      assert.deepStrictEqual(back.model.config, model.config)
      assert.deepStrictEqual(back.model.parameters, model.parameters)
      assert.deepStrictEqual(kept, [])
      assert.deepStrictEqual(encode(back.model, { type: "F32" }).bytes, bytes)
    }
  })

  it("have Llama 3's stretched wavelengths as factors", () => {
    const ropeScaling = {
      kind: "llama3",
      factor: 8,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalContextLength: 64,
    } as const
    const { bytes } = encode(small({ ropeScaling, ropeTheta: 10000 }))
    const tensor = Result.getOrThrow(decodeGguf(bytes, "m")).tensors.get("rope_freqs.weight")!
    const factors = new Float32Array(Uint8Array.from(tensor.bytes).buffer)
    assert.strictEqual(factors.length, 8)
    assert.strictEqual(factors[0], 1)
    assert.strictEqual(factors[7], 8)
    assert.isTrue(factors.every((each, i) => i === 0 || each >= factors[i - 1]))
  })

  it("have matrices in the type asked for, and in F16 what blocks do not fit", () => {
    const model = small({ tiedEmbeddings: false })
    for (const type of ["F16", "BF16", "Q4_0", "Q4_1", "Q8_0"] as const) {
      const { bytes, kept } = encode(model, { type, embeddings: "F32" })
      const { tensors, metadata } = Result.getOrThrow(decodeGguf(bytes, "m"))
      const typeOf = (name: string) => tensors.get(name)?.type
      assert.strictEqual(typeOf("token_embd.weight"), "F32")
      assert.strictEqual(typeOf("output.weight"), "F32")
      assert.strictEqual(typeOf("output_norm.weight"), "F32")
      assert.strictEqual(typeOf("blk.1.attn_norm.weight"), "F32")
      for (const part of ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up"]) {
        assert.strictEqual(typeOf(`blk.0.${part}.weight`), type)
      }
      const whole = type.startsWith("Q") ? "F16" : type
      assert.strictEqual(typeOf("blk.1.ffn_down.weight"), whole)
      assert.deepStrictEqual(
        kept,
        whole === type
          ? []
          : [0, 1].map((i) => ({
              tensor: `blk.${i}.ffn_down.weight`,
              parameter: `blocks.${i}.down`,
              shape: [64, 40],
              reason: "rows of 40 are no multiple of 32",
            })),
      )
      assert.strictEqual(metadata.has("general.quantization_version"), type.startsWith("Q"))
      assert.deepStrictEqual(tensors.get("blk.0.ffn_gate.weight")?.shape, [40, 64])
    }
  })

  it("take codes that were found otherwise", () => {
    const model = small()
    const draw = (shape: readonly [number, number], bits: 3 | 4 | 8, groupSize: number) =>
      randomMatrix(shape, { seed: bits, bits, symmetric: bits === 8, groupSize })
    const quantized = new Map([
      ["blocks.0.query", draw([64, 64], 3, 64)],
      ["blocks.0.key", draw([32, 64], 4, 32)],
      ["blocks.0.value", draw([32, 64], 8, 64)],
      ["blocks.0.output", draw([64, 64], 4, 16)],
      [
        "blocks.1.output",
        randomMatrix([64, 64], { seed: 1, bits: 8, symmetric: false, groupSize: 32 }),
      ],
    ])
    const { bytes, kept } = encode(model, { type: "F32", quantized })
    const { tensors } = Result.getOrThrow(decodeGguf(bytes, "m"))
    const typeOf = (name: string) => tensors.get(`blk.0.attn_${name}.weight`)?.type
    assert.deepStrictEqual(["q", "k", "v", "output"].map(typeOf), ["Q4_0", "Q4_1", "Q8_0", "F16"])
    assert.deepStrictEqual(
      kept.map(({ parameter, reason }) => [parameter, reason]),
      [
        ["blocks.0.output", "groups of 16 are no multiple of 32"],
        ["blocks.1.output", "no type has 8 bits with a zero point"],
      ],
    )
    const back = leaves(decode(bytes).model)
    for (const path of ["blocks.0.query", "blocks.0.value"]) {
      assert.deepStrictEqual(back.get(path), dequantizeMatrix(quantized.get(path)!))
    }
    const wide = encode(model, { type: "Q8_0", quantized })
    const first = Result.getOrThrow(decodeGguf(wide.bytes, "m")).tensors.get("blk.0.attn_q.weight")
    assert.strictEqual(first?.type, "Q8_0")
    const strange = new Map([["blocks.7.query", draw([64, 64], 4, 32)]])
    assert.throws(() => encodeGgufModel(model, { quantized: strange }), /no parameter blocks\.7/)
    const flat = new Map([["blocks.0.key", draw([64, 64], 4, 32)]])
    assert.throws(() => encodeGgufModel(model, { quantized: flat }), /blocks\.0\.key is \[32,64\]/)
  })

  it("keep a tokenizer of llama2.c", () => {
    const tokenizer = makeLlama2cTokenizer(makeVocabulary([" ", "a", "b", "ab", " ab", "é", "\n"]))
    const model = small({ vocabularySize: tokenizer.vocabularySize })
    const { bytes } = encode(model, { tokenizer, name: "ab" })
    const { metadata, tokenizer: back } = decode(bytes)
    const strings = (key: string) => {
      const value = metadata.get(`tokenizer.ggml.${key}`)
      return value?.type === "array" ? [...value.values] : value
    }
    const texts = strings("tokens")
    assert.isArray(texts)
    if (!Array.isArray(texts)) return
    assert.deepStrictEqual(texts.slice(0, 4), ["<unk>", "<s>", "</s>", "<0x00>"])
    assert.deepStrictEqual(texts.slice(259), ["▁", "a", "b", "ab", "▁ab", "é", "\n"])
    assert.deepStrictEqual(metadata.get("general.name"), { type: "string", value: "ab" })
    assert.deepStrictEqual(metadata.get("tokenizer.ggml.bos_token_id"), uint32(1))
    assert.deepStrictEqual(metadata.get("tokenizer.ggml.eos_token_id"), uint32(2))
    const types = strings("token_type")
    assert.deepStrictEqual(Array.isArray(types) ? types.slice(0, 4) : types, [2, 3, 3, 6])
    for (const text of ["ab abba é\n", "x y", "🌳"]) {
      assert.deepStrictEqual(back?.encode(text), tokenizer.encode(text))
      assert.strictEqual(back?.decode(tokenizer.encode(text)), text)
    }
    const error = Result.getOrThrow(Result.flip(encodeGgufModel(small(), { tokenizer })))
    assert.strictEqual(error._tag, "TokenizerMismatch")
  })

  it("are of the family llama, with weights that can be stored", () => {
    const other = Result.getOrThrow(Result.flip(encodeGgufModel(tinyGpt2())))
    assert.match(other.message, /have family llama, not gpt2/)
    const model = small()
    const huge = model.parameters.blocks[1].up.data.slice()
    huge[7] = 1e6
    const up = HostArray.make([40, 64], huge)
    const [first, second] = model.parameters.blocks
    const damaged = makeLlama(model.config, {
      ...model.parameters,
      blocks: [first, { ...second, up }],
    })
    for (const type of ["F16", "Q4_0"] as const) {
      const error = Result.getOrThrow(Result.flip(encodeGgufModel(damaged, { type })))
      assert.deepInclude(error, { _tag: "UnstorableWeight", tensor: "blk.1.ffn_up.weight" })
    }
    assert.isTrue(Result.isSuccess(encodeGgufModel(damaged, { type: "BF16" })))
  })

  const refused: ReadonlyArray<readonly [string, Uint8Array, RegExp]> = [
    [
      "another architecture",
      withMetadata({ "general.architecture": { type: "string", value: "gemma" } }),
      /general\.architecture llama, found string gemma/,
    ],
    [
      "no architecture",
      withMetadata({ "general.architecture": undefined }),
      /general\.architecture llama, found no such key/,
    ],
    [
      "no block count",
      withMetadata({ "llama.block_count": undefined }),
      /llama\.block_count, a whole number, found no such key/,
    ],
    [
      "endless blocks",
      withMetadata({ "llama.block_count": { type: "uint64", value: 2n ** 40n } }),
      /at most 20 in llama\.block_count.*found 1099511627776/,
    ],
    ["no blocks", withMetadata({ "llama.block_count": uint32(0) }), /layers.*found/],
    [
      "heads that differ",
      withMetadata({
        "llama.attention.head_count": { type: "array", of: "uint32", values: Uint32Array.of(4) },
      }),
      /llama\.attention\.head_count, a whole number, found an array of uint32/,
    ],
    ["3 heads", withMetadata({ "llama.attention.head_count": uint32(3) }), /keyValueHeads to be/],
    [
      "wider blocks",
      withMetadata({ "llama.feed_forward_length": uint32(64) }),
      /blk\.0\.ffn_gate\.weight \[64, 64\], found \[40, 64\]/,
    ],
    [
      "three blocks",
      withMetadata({ "llama.block_count": uint32(3) }),
      /blk\.2\.attn_norm\.weight \[64\], found no such tensor/,
    ],
    [
      "one block",
      withMetadata({ "llama.block_count": uint32(1) }),
      /the 11 tensors of the model, found blk\.1\.attn_norm\.weight besides/,
    ],
    [
      "partial rotation",
      withMetadata({ "llama.rope.dimension_count": uint32(8) }),
      /llama\.rope\.dimension_count 16, found 8/,
    ],
    [
      "experts",
      withMetadata({ "llama.expert_count": uint32(8) }),
      /llama\.expert_count 0, found 8/,
    ],
    [
      "another scaling",
      withMetadata({ "llama.rope.scaling.type": { type: "string", value: "yarn" } }),
      /scaling\.type none or linear, found yarn/,
    ],
    [
      "an epsilon in words",
      withMetadata({
        "llama.attention.layer_norm_rms_epsilon": { type: "string", value: "small" },
      }),
      /rms_epsilon, a float32, found string small/,
    ],
  ]
  for (const [what, bytes, message] of refused) {
    it(`with ${what} are refused`, () => {
      assert.strictEqual(failure(bytes)._tag, "CheckpointFormatError")
      assert.match(failure(bytes).message, message)
    })
  }

  const Seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }))
  const tokenizer = makeLlama2cTokenizer(makeVocabulary(["a", "b"]))
  const original = encode(small({ vocabularySize: tokenizer.vocabularySize }), {
    type: "Q4_0",
    tokenizer,
  }).bytes
  it.prop(
    "with changed bytes are read or refused, and nothing else",
    [Seed],
    ([seed]) => {
      const random = makeRandom(seed)
      const bytes = original.slice()
      const places = random.below(2) === 0 ? 1200 : bytes.length
      for (let change = 0; change < 1 + random.below(3); change++) {
        bytes[random.below(places)] = random.below(256)
      }
      const cut = random.below(3) === 0 ? random.below(bytes.length) : bytes.length
      const result = decodeGgufModel(bytes.subarray(0, cut), "m.gguf")
      if (Result.isFailure(result)) {
        assert.strictEqual(result.failure._tag, "CheckpointFormatError")
      }
    },
    { arbitrary: { runs: 500 } },
  )
})
