import { Result } from "effect"
import type { CausalLM } from "../causal_lm.ts"
import type { Llama } from "../llama.ts"
import { llamaParameterEntries, llamaParameterShapes } from "../llama_parameters.ts"
import type { QuantizedMatrix } from "../pack_quantized/quantized_matrix.ts"
import type { TokenizerMismatch } from "../tokenizer.ts"
import { checkTokenizer } from "../tokenizer.ts"
import type { Tokenizer } from "../tokenizer_interface.ts"
import { ggufTypesFor } from "./code_blocks.ts"
import type { GgufTensorSpec } from "./encode_header.ts"
import { encodeLlamaMetadata, rotaryFactors } from "./llama_metadata.ts"
import { ggufName, rotaryFactorsName } from "./llama_names.ts"
import type { GgufMetadata, GgufValue } from "./metadata.ts"
import type { GgufTensorType } from "./tensor_types.ts"
import { blockSize, hasWholeBlocks, isBlockType } from "./tensor_types.ts"
import { encodeTokenizerMetadata } from "./tokenizer_metadata.ts"
import { UnsupportedByGguf } from "./unsupported_by_gguf.ts"

/** How a model becomes a GGUF file. */
export interface GgufModelOptions {
  /** What matrices are kept in; `F16` by default. Vectors are always in F32. */
  readonly type?: GgufTensorType
  /** What embedding and head are kept in; by default as the other matrices. */
  readonly embeddings?: GgufTensorType
  /** For people. */
  readonly name?: string
  readonly tokenizer?: Tokenizer
  /**
   * Linears that are quantised already, by path, such as `blocks.0.query`. They are kept in `type`
   * where it takes their codes, else in the smallest type that does (`ggufTypesFor`).
   */
  readonly quantized?: ReadonlyMap<string, QuantizedMatrix>
}

/** A matrix that could not be kept in blocks, and is in F16 instead. */
export interface GgufKeptTensor {
  readonly tensor: string
  readonly parameter: string
  readonly shape: ReadonlyArray<number>
  readonly reason: string
}

/** A tensor of a file that is to be written, and what it comes from. */
export type PlannedTensor = GgufTensorSpec &
  (
    | { readonly kind: "parameter"; readonly parameter: string }
    | { readonly kind: "codes"; readonly matrix: QuantizedMatrix }
    | { readonly kind: "values"; readonly values: Float32Array }
  )

/** All of a file but its data. */
export interface GgufPlan {
  readonly metadata: GgufMetadata
  readonly tensors: ReadonlyArray<PlannedTensor>
  readonly kept: ReadonlyArray<GgufKeptTensor>
}

/** llama.cpp's numbers for what most of a file is kept in. */
const fileTypes: Readonly<Record<GgufTensorType, number>> = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q4_1: 3,
  Q8_0: 7,
  BF16: 32,
}

const sizeOf = (shape: ReadonlyArray<number>) => shape.reduce((a, b) => a * b, 1)

/** The type that keeps the most weights. */
const mainType = (tensors: ReadonlyArray<GgufTensorSpec>): GgufTensorType => {
  const weights = new Map<GgufTensorType, number>()
  for (const { type, shape } of tensors) {
    weights.set(type, (weights.get(type) ?? 0) + sizeOf(shape))
  }
  return [...weights].sort(([, a], [, b]) => b - a)[0][0]
}

const requireLlama = (model: CausalLM): Result.Result<Llama, UnsupportedByGguf> =>
  model.family === "llama" && "config" in model
    ? Result.succeed(model as Llama)
    : Result.fail(
        new UnsupportedByGguf({
          field: "family",
          expected: "llama",
          found: model.family,
          hint: "Write a Hugging Face folder instead.",
        }),
      )

const planTensors = ({ config }: Llama, options: GgufModelOptions) => {
  const { type = "F16", quantized = new Map<string, QuantizedMatrix>() } = options
  const { embeddings = type } = options
  const tensors: Array<PlannedTensor> = []
  const kept: Array<GgufKeptTensor> = []
  const shapes = llamaParameterEntries(llamaParameterShapes(config))
  const unknown = [...quantized.keys()].find((path) => !shapes.some(([name]) => name === path))
  if (unknown !== undefined) throw new RangeError(`the model has no parameter ${unknown}`)
  for (const [parameter, shape] of shapes) {
    const name = ggufName(parameter)
    const matrix = quantized.get(parameter)
    const keep = (reason: string) => {
      kept.push({ tensor: name, parameter, shape, reason })
      return "F16" as const
    }
    if (matrix !== undefined) {
      if (matrix.shape.join() !== shape.join()) {
        throw new RangeError(`${parameter} is [${shape.join()}], not [${matrix.shape.join()}]`)
      }
      const fitting = ggufTypesFor(matrix)
      const taken = fitting.find((each) => each === type) ?? fitting[0]
      const reason =
        matrix.groupSize % blockSize === 0
          ? "no type has 8 bits with a zero point"
          : `groups of ${matrix.groupSize} are no multiple of ${blockSize}`
      tensors.push({ kind: "codes", name, shape, matrix, type: taken ?? keep(reason) })
      continue
    }
    const wanted = parameter === "embedding" || parameter === "head" ? embeddings : type
    const fits = hasWholeBlocks(wanted, shape)
    const reason = `rows of ${shape.at(-1)} are no multiple of ${blockSize}`
    const chosen = shape.length < 2 ? "F32" : fits ? wanted : keep(reason)
    tensors.push({ kind: "parameter", name, shape, parameter, type: chosen })
  }
  const factors = rotaryFactors(config)
  if (factors !== undefined) {
    const shape = [factors.length]
    tensors.push({ kind: "values", name: rotaryFactorsName, shape, values: factors, type: "F32" })
  }
  return { tensors, kept }
}

/**
 * Decides what a model's GGUF file holds, from its sizes alone: the metadata of llama.cpp's
 * architecture `llama`, and name, shape and type of every tensor.
 */
export const planGguf = (
  model: CausalLM,
  options: GgufModelOptions,
): Result.Result<GgufPlan, UnsupportedByGguf | TokenizerMismatch> =>
  Result.gen(function* () {
    const llama = yield* requireLlama(model)
    const { config } = llama
    const { tokenizer, name = "model" } = options
    if (tokenizer !== undefined) {
      yield* checkTokenizer(tokenizer, config.vocabularySize, "the tokenizer")
    }
    const { tensors, kept } = planTensors(llama, options)
    const quantized = tensors.some(({ type }) => isBlockType(type))
    const metadata = new Map<string, GgufValue>([
      ["general.architecture", { type: "string", value: "llama" }],
      ["general.name", { type: "string", value: name }],
      ["general.file_type", { type: "uint32", value: fileTypes[mainType(tensors)] }],
      ...(quantized
        ? [["general.quantization_version", { type: "uint32", value: 2 }] as const]
        : []),
      ...encodeLlamaMetadata(config),
      ...encodeTokenizerMetadata(tokenizer, config.vocabularySize),
    ])
    return { metadata, tensors, kept }
  })
