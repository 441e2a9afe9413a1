import { assert, describe, it } from "@effect/vitest"
import { layer as wasmLayer } from "@espalier/wasm"
import { hasData, needsData } from "@espalier/testing"
import { Effect, Result } from "effect"
import { encodeUtf8 } from "../bytes.ts"
import { quantizeBlocks } from "../gguf/quantize_blocks.ts"
import { decodeGgufCodes } from "../gguf/code_blocks.ts"
import type { Llama } from "../llama.ts"
import { llamaParameterEntries } from "../llama_parameters.ts"
import { perplexity } from "../perplexity.ts"
import { randomMatrix } from "../testing/random_matrix.ts"
import { tinyGpt2, tinyOpt } from "../testing/random_parameters.ts"
import { readEvaluationWindows, readStories } from "../testing/stories.ts"
import { tinyLlama } from "../testing/tiny.ts"
import { decodePackQuantizedModel, encodePackQuantizedModel } from "./model.ts"
import type { QuantizedMatrix } from "./quantized_matrix.ts"
import { dequantizeMatrix } from "./quantized_matrix.ts"
import { decodeRawSafetensors, encodeRawSafetensors } from "./raw_safetensors.ts"

const encode = (...args: Parameters<typeof encodePackQuantizedModel>) =>
  Result.getOrThrow(encodePackQuantizedModel(...args))

/** Through the bytes of the files. */
const roundTrip = (...args: Parameters<typeof encodePackQuantizedModel>) => {
  const { config, tensors } = encode(...args)
  const bytes = encodeRawSafetensors(tensors, { format: "pt" })
  const raw = Result.getOrThrow(decodeRawSafetensors(bytes, "w"))
  return Result.getOrThrow(decodePackQuantizedModel({ config, tensors: raw }, "c", "w"))
}

const leaves = ({ parameters }: Llama) => new Map(llamaParameterEntries(parameters))

describe("models in the layout pack-quantized", () => {
  it("come back with the codes of their linears", () => {
    const model = tinyLlama({ tiedEmbeddings: false })
    const quantized = new Map<string, QuantizedMatrix>(
      model.blocks
        .flatMap((block) => block.linears)
        .filter(({ path }) => path !== "blocks.1.value")
        .map(({ path, shape }, seed) => [
          path,
          randomMatrix(shape, { seed, bits: 4, symmetric: false, groupSize: 4 }),
        ]),
    )
    const back = roundTrip(model, quantized)
    assert.deepStrictEqual(back.quantized, quantized)
    if (back.model.family !== "llama") return assert.fail(back.model.family)
    assert.deepStrictEqual(back.model.config, model.config)
    const found = leaves(back.model)
    for (const [path, leaf] of leaves(model)) {
      const matrix = quantized.get(path)
      assert.deepStrictEqual(
        found.get(path),
        matrix === undefined ? leaf : dequantizeMatrix(matrix),
      )
    }
    const { config, tensors } = encode(model, quantized)
    const text = new TextDecoder().decode(config)
    assert.match(text, /"ignore": \[\s*"lm_head",\s*"model\.layers\.1\.self_attn\.v_proj"\s*\]/)
    assert.isTrue(tensors.has("model.layers.1.self_attn.v_proj.weight"))
    assert.isFalse(tensors.has("model.layers.0.self_attn.v_proj.weight"))
  })

  it("may be OPT models, and no GPT-2 models, whose linears lie transposed", () => {
    const draw = (shape: readonly [number, number]) =>
      randomMatrix(shape, { seed: 1, bits: 8, symmetric: true, groupSize: shape[1] })
    const opt = tinyOpt()
    const { path, shape } = opt.blocks[0].linears[0]
    const back = roundTrip(opt, new Map([[path, draw(shape)]]))
    assert.deepStrictEqual(back.quantized.get(path), draw(shape))
    const gpt2 = tinyGpt2()
    const linear = gpt2.blocks[0].linears[0]
    const result = encodePackQuantizedModel(gpt2, new Map([[linear.path, draw(linear.shape)]]))
    const error = Result.getOrThrow(Result.flip(result))
    assert.match(error.message, /transposed/)
  })

  it("have only what the model has", () => {
    const model = tinyLlama()
    const matrix = randomMatrix([16, 16], { seed: 1, bits: 4, symmetric: true, groupSize: 16 })
    const make = (path: string) => () => encodePackQuantizedModel(model, new Map([[path, matrix]]))
    assert.throws(make("blocks.0.key"), /blocks\.0\.key is \[8, 16\], not \[16, 16\]/)
    assert.throws(make("embedding"), /embedding is no linear/)
  })

  it("with another config.json are refused", () => {
    const model = tinyLlama()
    const matrix = randomMatrix([16, 16], { seed: 1, bits: 4, symmetric: true, groupSize: 16 })
    const { config, tensors } = encode(model, new Map([["blocks.0.query", matrix]]))
    const refusal = (text: string) => {
      const other = { config: encodeUtf8(text), tensors }
      const result = decodePackQuantizedModel(other, "config.json", "w")
      const error = Result.getOrThrow(Result.flip(result))
      assert.strictEqual(error._tag, "CheckpointFormatError")
      return error.message
    }
    const text = new TextDecoder().decode(config)
    for (const broken of ["", "null", "[]", `"text"`, "{", text.slice(0, -9)]) refusal(broken)
    assert.match(refusal(text.replace("{", `{"model_type": "llama",`)), /model_type twice/)
    assert.match(refusal(text.replace("quantization_config", "other")), /a quantization_config/)
    assert.match(refusal(text.replace('"num_bits": 4', '"num_bits": 5')), /num_bits/)
  })

  it.skipIf(!hasData)(`are the size that their bits take${needsData}`, () => {
    const model = readStories()
    const quantized = new Map(
      model.blocks
        .flatMap((block) => block.linears)
        .map(({ path, shape }) => [
          path,
          randomMatrix(shape, { seed: 1, bits: 4, symmetric: true, groupSize: shape[1] }),
        ]),
    )
    const { tensors } = encode(model, quantized, { scaleDtype: "F16" })
    const ending = (end: string) =>
      [...tensors].filter(([name]) => name.endsWith(end)).map(([, { bytes }]) => bytes.length)
    const sum = (lengths: ReadonlyArray<number>) => lengths.reduce((a, b) => a + b, 0)
    const linears = [...quantized.values()]
    const codes = linears.map(({ shape }) => shape[0] * Math.ceil(shape[1] / 8) * 4)
    assert.strictEqual(sum(ending(".weight_packed")), sum(codes))
    assert.strictEqual(sum(ending("_scale")), sum(linears.map(({ shape }) => shape[0] * 2)))
  })

  it.effect.skipIf(!hasData)(`have the perplexity of their weights${needsData}`, () =>
    Effect.gen(function* () {
      const model = readStories()
      const weights = leaves(model)
      const quantized = new Map<string, QuantizedMatrix>()
      for (const { path, shape } of model.blocks.flatMap((block) => block.linears)) {
        if (shape[1] % 32 !== 0) continue
        const values = Float32Array.from(weights.get(path)!.data)
        const bytes = yield* Effect.fromResult(quantizeBlocks(path, "Q8_0", values))
        quantized.set(path, decodeGgufCodes({ type: "Q8_0", shape, bytes })!)
      }
      const windows = readEvaluationWindows(8)
      const dense = yield* perplexity(model, windows)
      const back = yield* perplexity(roundTrip(model, quantized).model, windows)
      assert.closeTo(back.perplexity / dense.perplexity, 1, 0.005)
      assert.notStrictEqual(back.perplexity, dense.perplexity)
    }).pipe(Effect.provide(wasmLayer())),
  )
})
