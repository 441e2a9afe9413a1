import { assert, describe, it } from "@effect/vitest"
import { HostArray } from "@espalier/tensor"
import { hasData, needsData, readData } from "@espalier/testing"
import { Result, Schema } from "effect"
import type { CausalLM } from "../causal_lm.ts"
import { makeLlama } from "../llama.ts"
import { decodeLlama2c } from "../llama2c.ts"
import type { LlamaConfig } from "../llama_config.ts"
import { headDimension } from "../llama_config.ts"
import { llamaParameterShapes, mapLlamaParameters } from "../llama_parameters.ts"
import { decodeSafetensors, encodeSafetensors } from "../safetensors.ts"
import { tinyGpt2, tinyOpt } from "../testing/random_parameters.ts"
import { tinyLlama } from "../testing/tiny.ts"
import type { HuggingFaceModel } from "./model.ts"
import { fromHuggingFace, huggingFaceNames, toHuggingFace } from "./tensors.ts"

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

const tensorsOf = (model: CausalLM) => Result.getOrThrow(toHuggingFace(model))

/** The parameters that tensors give a model of the same family and sizes. */
const back = (model: HuggingFaceModel, tensors: ReadonlyMap<string, HostArray.HostArray>) =>
  Result.getOrThrow(fromHuggingFace(model, tensors, "m")).parameters

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
      const model = makeLlama(config, numbered(config))
      const bytes = encodeSafetensors(tensorsOf(model), { format: "pt" })
      const { tensors } = Result.getOrThrow(decodeSafetensors(bytes, "m"))
      assert.deepStrictEqual(back(model, tensors), model.parameters)
    },
    { arbitrary: { runs: 30 } },
  )

  it("attention scores are the same in both rotary layouts", () => {
    const config = makeConfig([4, 2, 2, 1, true])
    const width = headDimension(config)
    const parameters = numbered(config)
    const theirs = tensorsOf(makeLlama(config, parameters))
    const names = huggingFaceNames({ family: "llama", config })
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
        theirs.get(names.get("blocks.0.query")!)!,
        theirs.get(names.get("blocks.0.key")!)!,
        head,
        (i) => [i, i + width / 2],
      )
      assert.closeTo(halfSplit, interleaved, 1e-6)
    }
  })

  it("parameters have the names that transformers uses", () => {
    const config = makeConfig([1, 1, 1, 1, false])
    const names = [...tensorsOf(makeLlama(config, numbered(config))).keys()]
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
  })

  it("missing, misshapen and foreign tensors are named", () => {
    const config = makeConfig([2, 1, 2, 1, false])
    const complete = tensorsOf(makeLlama(config, numbered(config)))
    const configuration = { family: "llama", config } as const
    const refuse = (change: (tensors: Map<string, HostArray.HostArray>) => void) => {
      const tensors = new Map(complete)
      change(tensors)
      const result = fromHuggingFace(configuration, tensors, "m.safetensors")
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
    assert.isTrue(Result.isSuccess(fromHuggingFace(configuration, tolerated, "m")))
    const tied = { family: "llama", config: { ...config, tiedEmbeddings: true } } as const
    assert.isTrue(Result.isSuccess(fromHuggingFace(tied, complete, "m")))
  })

  it.skipIf(!hasData)(`stories260K goes there and back${needsData}`, () => {
    const bytes = readData("language-models/stories260K.bin")
    const { config, parameters } = Result.getOrThrow(decodeLlama2c(bytes, "m"))
    const model = makeLlama(config, parameters)
    assert.deepStrictEqual(back(model, tensorsOf(model)), parameters)
  })
})

describe("every family", () => {
  const models: ReadonlyArray<HuggingFaceModel> = [
    tinyLlama({ attentionBias: true, headDimension: 6, tiedEmbeddings: false }),
    tinyGpt2(),
    tinyGpt2({ tiedEmbeddings: false }),
    tinyOpt(),
    tinyOpt({ embeddingDimension: 5, normBefore: false, tiedEmbeddings: false }),
  ]

  it("comes back bit for bit, with and without the usual prefix", () => {
    for (const model of models) {
      const tensors = tensorsOf(model)
      assert.deepStrictEqual(back(model, tensors), model.parameters)
      const bare = new Map(
        [...tensors].map(([name, leaf]) => [
          name.replace(/^(model\.decoder|model|transformer)\./, ""),
          leaf,
        ]),
      )
      assert.deepStrictEqual(back(model, bare), model.parameters)
    }
  })

  it("has the names that transformers uses", () => {
    const names = (model: CausalLM) => [...tensorsOf(model).keys()]
    assert.includeMembers(names(models[0]), [
      "model.layers.1.self_attn.q_proj.bias",
      "model.layers.1.self_attn.v_proj.bias",
      "lm_head.weight",
    ])
    assert.sameMembers(
      names(tinyGpt2({ layers: 1 })),
      [
        ["wte.weight", "wpe.weight", "ln_f.weight", "ln_f.bias"],
        ["ln_1", "ln_2", "attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"].flatMap((name) => [
          `h.0.${name}.weight`,
          `h.0.${name}.bias`,
        ]),
      ]
        .flat()
        .map((name) => `transformer.${name}`),
    )
    assert.includeMembers(names(models[4]), [
      "model.decoder.embed_positions.weight",
      "model.decoder.project_in.weight",
      "model.decoder.layers.0.self_attn.out_proj.bias",
      "model.decoder.layers.1.self_attn_layer_norm.weight",
      "model.decoder.layers.1.final_layer_norm.bias",
      "model.decoder.layers.1.fc1.weight",
    ])
    assert.notInclude(names(models[4]), "model.decoder.final_layer_norm.weight")
  })

  it("GPT-2's linears are transposed in files, and its masks are left alone", () => {
    const model = tinyGpt2()
    const tensors = new Map(tensorsOf(model))
    assert.deepStrictEqual(tensors.get("transformer.h.0.attn.c_attn.weight")?.shape, [12, 36])
    tensors.set("transformer.h.0.attn.bias", HostArray.zeros([1, 1, 12, 12]))
    tensors.set("transformer.h.0.attn.masked_bias", HostArray.zeros([]))
    assert.deepStrictEqual(back(model, tensors), model.parameters)
  })

  it("without a layout is refused by name", () => {
    const { config: _, ...stranger } = tinyLlama()
    const result = toHuggingFace({ ...stranger, family: "mamba" })
    if (Result.isSuccess(result)) return assert.fail("accepted")
    assert.strictEqual(result.failure._tag, "UnsupportedFamily")
    assert.match(result.failure.message, /mamba/)
  })
})
