import { assert, describe, it } from "@effect/vitest"
import { HostArray } from "@espalier/tensor"
import { Result, Schema } from "effect"
import { decodeHuggingFaceConfig, encodeHuggingFaceConfig } from "./hugging_face_config.ts"
import { fromHuggingFace, huggingFaceName, toHuggingFace } from "./hugging_face_llama.ts"
import { decodeLlama2c } from "./llama2c.ts"
import type { LlamaConfig } from "./llama_config.ts"
import { headDimension } from "./llama_config.ts"
import { llamaParameterShapes, mapLlamaParameters } from "./llama_parameters.ts"
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts"
import { hasData, needsData, readData } from "./testing/data.ts"

const Count = (minimum: number, maximum: number) =>
  Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const sizes = [Count(1, 3), Count(1, 2), Count(1, 3), Count(1, 2), Schema.Boolean] as const

const makeConfig = ([pairs, groups, kvHeads, layers, tied]: readonly [
  number,
  number,
  number,
  number,
  boolean,
]): LlamaConfig => ({
  dimension: 2 * pairs * groups * kvHeads,
  hiddenDimension: 5,
  layers,
  heads: groups * kvHeads,
  keyValueHeads: kvHeads,
  vocabularySize: 7,
  contextLength: 16,
  tiedEmbeddings: tied,
  ropeTheta: 10000,
  normEpsilon: 1e-5,
})

const numbered = (config: LlamaConfig) => {
  let next = 0
  return mapLlamaParameters(llamaParameterShapes(config), (shape) => {
    const size = shape.reduce((product, extent) => product * extent, 1)
    return HostArray.make(
      shape,
      Float32Array.from({ length: size }, () => Math.sin(next++)),
    )
  })
}

const multiply = ({ shape, data }: HostArray.HostArray, x: ReadonlyArray<number>) =>
  Array.from({ length: shape[0] }, (_, row) =>
    x.reduce((sum, value, column) => sum + data[row * shape[1] + column] * value, 0),
  )

/** Turns each pair of a head by its angle; `pairOf` says which two rows are pair `i`. */
const rotate = (
  head: ReadonlyArray<number>,
  position: number,
  pairOf: (i: number) => readonly [number, number],
): ReadonlyArray<number> => {
  const turned = [...head]
  for (let i = 0; i < head.length / 2; i++) {
    const angle = position * 10000 ** ((-2 * i) / head.length)
    const [a, b] = pairOf(i)
    turned[a] = head[a] * Math.cos(angle) - head[b] * Math.sin(angle)
    turned[b] = head[a] * Math.sin(angle) + head[b] * Math.cos(angle)
  }
  return turned
}

describe("Hugging Face LLaMA", () => {
  it.prop(
    "parameters come back bit for bit through their names and a safetensors file",
    [...sizes],
    (drawn) => {
      const config = makeConfig(drawn)
      const parameters = numbered(config)
      const bytes = encodeSafetensors(toHuggingFace(config, parameters), { format: "pt" })
      const { tensors } = Result.getOrThrow(decodeSafetensors(bytes, "m"))
      assert.deepStrictEqual(Result.getOrThrow(fromHuggingFace(config, tensors, "m")), parameters)
    },
    { arbitrary: { runs: 30 } },
  )

  it.prop("config.json comes back", [...sizes], (drawn) => {
    const config = makeConfig(drawn)
    const bytes = encodeHuggingFaceConfig(config)
    assert.deepStrictEqual(Result.getOrThrow(decodeHuggingFaceConfig(bytes, "c")), config)
  })

  it("attention scores are the same in both rotary layouts", () => {
    const config = makeConfig([4, 2, 2, 1, true])
    const width = headDimension(config)
    const parameters = numbered(config)
    const theirs = toHuggingFace(config, parameters)
    const x = Array.from({ length: config.dimension }, (_, i) => Math.cos(3 * i))
    const y = Array.from({ length: config.dimension }, (_, i) => Math.cos(5 * i + 1))
    const score = (
      query: HostArray.HostArray,
      key: HostArray.HostArray,
      head: number,
      pairOf: (i: number) => readonly [number, number],
    ) => {
      const kvHead = Math.floor(head / (config.heads / config.keyValueHeads))
      const q = multiply(query, x).slice(head * width, (head + 1) * width)
      const k = multiply(key, y).slice(kvHead * width, (kvHead + 1) * width)
      const turned = rotate(k, 4, pairOf)
      return rotate(q, 11, pairOf).reduce((sum, value, i) => sum + value * turned[i], 0)
    }
    for (let head = 0; head < config.heads; head++) {
      const { query, key } = parameters.blocks[0]
      const interleaved = score(query, key, head, (i) => [2 * i, 2 * i + 1])
      const halfSplit = score(
        theirs.get(huggingFaceName("blocks.0.query"))!,
        theirs.get(huggingFaceName("blocks.0.key"))!,
        head,
        (i) => [i, i + width / 2],
      )
      assert.closeTo(halfSplit, interleaved, 1e-6)
    }
  })

  it("parameters have the names that transformers uses", () => {
    const names = [
      ...toHuggingFace(
        makeConfig([1, 1, 1, 1, false]),
        numbered(makeConfig([1, 1, 1, 1, false])),
      ).keys(),
    ]
    assert.deepStrictEqual(names.toSorted(), [
      "lm_head.weight",
      "model.embed_tokens.weight",
      "model.layers.0.input_layernorm.weight",
      "model.layers.0.mlp.down_proj.weight",
      "model.layers.0.mlp.gate_proj.weight",
      "model.layers.0.mlp.up_proj.weight",
      "model.layers.0.post_attention_layernorm.weight",
      "model.layers.0.self_attn.k_proj.weight",
      "model.layers.0.self_attn.o_proj.weight",
      "model.layers.0.self_attn.q_proj.weight",
      "model.layers.0.self_attn.v_proj.weight",
      "model.norm.weight",
    ])
    assert.throws(() => huggingFaceName("blocks.0.bias"), RangeError)
  })

  it("missing, misshapen and foreign tensors are named", () => {
    const config = makeConfig([2, 1, 2, 1, false])
    const complete = toHuggingFace(config, numbered(config))
    const refuse = (change: (tensors: Map<string, HostArray.HostArray>) => void) => {
      const tensors = new Map(complete)
      change(tensors)
      const result = fromHuggingFace(config, tensors, "m.safetensors")
      if (Result.isSuccess(result)) throw new Error("accepted")
      return result.failure.message
    }
    assert.match(
      refuse((t) => t.delete("model.norm.weight")),
      /model\.norm\.weight \[8\], found no such/,
    )
    assert.match(
      refuse((t) => t.delete("lm_head.weight")),
      /tie_word_embeddings/,
    )
    assert.match(
      refuse((t) => t.set("model.norm.weight", HostArray.make([1], [1]))),
      /found \[1\]/,
    )
    assert.match(
      refuse((t) => t.set("x.bias", HostArray.make([1], [1]))),
      /x\.bias besides/,
    )
    const tolerated = new Map(complete)
    tolerated.set("model.layers.0.self_attn.rotary_emb.inv_freq", HostArray.make([1], [1]))
    assert.isTrue(Result.isSuccess(fromHuggingFace(config, tolerated, "m")))
    assert.isTrue(
      Result.isSuccess(fromHuggingFace({ ...config, tiedEmbeddings: true }, complete, "m")),
    )
  })

  it("config.json takes transformers' defaults for absent keys", () => {
    const json = {
      hidden_size: 64,
      intermediate_size: 172,
      num_hidden_layers: 5,
      num_attention_heads: 8,
      vocab_size: 512,
    }
    const read = (value: unknown) =>
      decodeHuggingFaceConfig(new TextEncoder().encode(JSON.stringify(value)), "config.json")
    const config = Result.getOrThrow(read(json))
    assert.deepInclude(config, {
      keyValueHeads: 8,
      contextLength: 2048,
      tiedEmbeddings: false,
      ropeTheta: 10000,
      normEpsilon: 1e-6,
    })
    const newer = Result.getOrThrow(read({ ...json, rope_parameters: { rope_theta: 5e5 } }))
    assert.strictEqual(newer.ropeTheta, 5e5)
    for (const [change, message] of [
      [{ hidden_act: "gelu" }, /hidden_act "silu", found "gelu"/],
      [{ rope_scaling: { type: "linear" } }, /rope_scaling null/],
      [{ attention_bias: true }, /attention_bias false/],
      [{ model_type: "mistral" }, /model_type "llama", found "mistral"/],
      [{ head_dim: 16 }, /head_dim 8, found 16/],
      [{ num_attention_heads: 7, head_dim: null }, /heads to be a divisor of dimension 64/],
      [{ vocab_size: "many" }, /vocab_size/],
    ] as const) {
      const result = read({ ...json, ...change })
      if (Result.isSuccess(result)) return assert.fail(JSON.stringify(change))
      assert.strictEqual(result.failure._tag, "CheckpointFormatError")
      assert.match(result.failure.message, message)
    }
    assert.isTrue(Result.isFailure(decodeHuggingFaceConfig(Uint8Array.of(0x7b), "c")))
    assert.isTrue(Result.isFailure(decodeHuggingFaceConfig(Uint8Array.of(0xff), "c")))
  })

  it.skipIf(!hasData)(`stories260K goes there and back${needsData}`, () => {
    const bytes = readData("language-models/stories260K.bin")
    const { config, parameters } = Result.getOrThrow(decodeLlama2c(bytes, "m"))
    const back = fromHuggingFace(config, toHuggingFace(config, parameters), "m")
    assert.deepStrictEqual(Result.getOrThrow(back), parameters)
  })
})
