import type { HostArray } from "@espalier/tensor"
import { HostArray as HostArrays } from "@espalier/tensor"
import { Result } from "effect"
import type { CausalLM } from "../causal_lm.ts"
import { CheckpointFormatError } from "../checkpoint_format_error.ts"
import type { Llama } from "../llama.ts"
import { makeLlama } from "../llama.ts"
import type { LlamaConfig } from "../llama_config.ts"
import type { LlamaParameters } from "../llama_parameters.ts"
import {
  llamaParameterEntries,
  llamaParameterShapes,
  mapLlamaParameters,
} from "../llama_parameters.ts"
import { dequantizeMatrix } from "../pack_quantized/quantized_matrix.ts"
import type { TokenizerMismatch } from "../tokenizer.ts"
import type { Tokenizer } from "../tokenizer_interface.ts"
import { label } from "./byte_reader.ts"
import { encodeGgufCodes } from "./code_blocks.ts"
import type { GgufTensor } from "./gguf.ts"
import { decodeGguf, encodeGguf } from "./gguf.ts"
import { decodeLlamaMetadata } from "./llama_metadata.ts"
import { ggufName, rotaryFactorsName } from "./llama_names.ts"
import type { GgufMetadata } from "./metadata.ts"
import type { GgufKeptTensor, GgufModelOptions, PlannedTensor } from "./model_plan.ts"
import { planGguf } from "./model_plan.ts"
import { decodeGgufTensor, encodeGgufTensor } from "./tensor.ts"
import { isBlockType } from "./tensor_types.ts"
import { decodeTokenizerMetadata } from "./tokenizer_metadata.ts"
import type { UnstorableWeight } from "./unstorable_weight.ts"
import type { UnsupportedByGguf } from "./unsupported_by_gguf.ts"

/** A tensor as the plan has it; `parameter` gives the weights that are no codes. */
export const encodePlanned = (
  planned: PlannedTensor,
  parameter: HostArray.HostArray | undefined,
): Result.Result<GgufTensor, UnstorableWeight> => {
  const { name, shape, type } = planned
  switch (planned.kind) {
    case "codes":
      return isBlockType(type)
        ? encodeGgufCodes(name, planned.matrix, type)
        : encodeGgufTensor(name, dequantizeMatrix(planned.matrix), type)
    case "values":
      return encodeGgufTensor(name, HostArrays.make(shape, planned.values), type)
    case "parameter": {
      if (parameter?.shape.join() !== shape.join()) {
        const found = parameter === undefined ? "missing" : `[${parameter.shape.join(", ")}]`
        throw new RangeError(`${planned.parameter} is ${found}, not [${shape.join(", ")}]`)
      }
      return encodeGgufTensor(name, parameter, type)
    }
  }
}

/** A GGUF file and what is particular about it. */
export interface EncodedGgufModel {
  readonly bytes: Uint8Array
  /** Matrices that are in F16 although another type was asked for. */
  readonly kept: ReadonlyArray<GgufKeptTensor>
}

/**
 * A LLaMA-style model as a GGUF file for llama.cpp: its architecture `llama`, vectors in F32, matrices
 * in the type asked for, quantised by ggml's reference rules, or with codes that were found otherwise.
 * Matrices that blocks of 32 do not fit are in F16, and listed. The limit of the context goes along, a
 * sliding window does not. `writeGgufModel` writes a file without holding it.
 *
 * Fails with {@link UnsupportedByGguf} for a model of another family, with {@link TokenizerMismatch}
 * where the tokenizer is another model's, and with {@link UnstorableWeight}, which names the tensor,
 * where a weight or a scale is too large for half precision.
 *
 * @example
 * ```ts
 * const config = Result.getOrThrow(
 *   makeLlamaConfig({
 *     dimension: 32,
 *     hiddenDimension: 40,
 *     layers: 1,
 *     heads: 2,
 *     keyValueHeads: 1,
 *     vocabularySize: 10,
 *     contextLength: 4,
 *   }),
 * )
 * const zeros = mapLlamaParameters(llamaParameterShapes(config), (shape) => HostArray.zeros(shape))
 * const encoded = Result.getOrThrow(encodeGgufModel(makeLlama(config, zeros), { type: "Q8_0" }))
 * encoded.kept.map(({ tensor }) => tensor) // ["blk.0.ffn_down.weight"]: its rows have 40 weights
 * ```
 */
export const encodeGgufModel = (
  model: CausalLM,
  options: GgufModelOptions = {},
): Result.Result<EncodedGgufModel, UnsupportedByGguf | TokenizerMismatch | UnstorableWeight> =>
  Result.gen(function* () {
    const { metadata, tensors, kept } = yield* planGguf(model, options)
    const parameters = new Map(
      llamaParameterEntries(model.parameters as LlamaParameters<HostArray.HostArray>),
    )
    const encoded = new Map<string, GgufTensor>()
    for (const planned of tensors) {
      const parameter = planned.kind === "parameter" ? parameters.get(planned.parameter) : undefined
      encoded.set(planned.name, yield* encodePlanned(planned, parameter))
    }
    return { bytes: encodeGguf({ metadata, tensors: encoded }), kept }
  })

/** A model from a GGUF file. */
export interface GgufModel {
  readonly model: Llama
  /** Where the file has one of the kind of LLaMA 1 and 2. */
  readonly tokenizer?: Tokenizer
  readonly metadata: GgufMetadata
}

type Shapes = ReadonlyMap<string, { readonly shape: ReadonlyArray<number> }>

/**
 * The sizes of the model in a file, after checking that every parameter has its tensor, of the right
 * shape, and that no tensor is left over.
 */
export const placeLlama = (
  metadata: GgufMetadata,
  tensors: Shapes,
  path: string,
): Result.Result<LlamaConfig, CheckpointFormatError> =>
  Result.flatMap(decodeLlamaMetadata(metadata, tensors, path), (config) => {
    const fail = (expected: string, found: string) => {
      const hint = "Are metadata and tensors of the same model, and is no part of it missing?"
      return Result.fail(new CheckpointFormatError({ path, expected, found, hint }))
    }
    const expected = llamaParameterEntries(llamaParameterShapes(config))
    for (const [parameter, shape] of expected) {
      const name = ggufName(parameter)
      const found = tensors.get(name)?.shape
      if (found?.join() !== shape.join()) {
        const other = found === undefined ? "no such tensor" : `[${found.join(", ")}]`
        return fail(`${name} [${shape.join(", ")}]`, other)
      }
    }
    const known = new Set(expected.map(([parameter]) => ggufName(parameter)))
    const odd = [...tensors.keys()].find((name) => !known.has(name) && name !== rotaryFactorsName)
    return odd === undefined
      ? Result.succeed(config)
      : fail(`the ${known.size} tensors of the model`, `${label(odd)} besides`)
  })

/** The model with these weights, and what else its file says. */
export const makeGgufModel = (
  config: LlamaConfig,
  metadata: GgufMetadata,
  weights: ReadonlyMap<string, HostArray.HostArray>,
): GgufModel => {
  const parameters = mapLlamaParameters(llamaParameterShapes(config), (_, parameter) =>
    weights.get(ggufName(parameter))!,
  )
  const tokenizer = decodeTokenizerMetadata(metadata)
  return {
    model: makeLlama(config, parameters),
    ...(tokenizer?.vocabularySize === config.vocabularySize ? { tokenizer } : {}),
    metadata,
  }
}

/**
 * Reads a GGUF file of llama.cpp's architecture `llama` as a model: quantised weights become the `f32`
 * that they stand for. `path` is only used in messages; `readGgufModel` reads from a file.
 *
 * Fails with {@link CheckpointFormatError} where the file is damaged or of another kind, where tensors
 * are missing or too many, and where the model needs what is not supported.
 *
 * @example
 * ```ts
 * const config = Result.getOrThrow(
 *   makeLlamaConfig({
 *     dimension: 32,
 *     hiddenDimension: 64,
 *     layers: 1,
 *     heads: 2,
 *     keyValueHeads: 1,
 *     vocabularySize: 10,
 *     contextLength: 4,
 *   }),
 * )
 * const zeros = mapLlamaParameters(llamaParameterShapes(config), (shape) => HostArray.zeros(shape))
 * const { bytes } = Result.getOrThrow(encodeGgufModel(makeLlama(config, zeros), { type: "Q4_0" }))
 * const { model } = Result.getOrThrow(decodeGgufModel(bytes, "model.gguf"))
 * model.config.hiddenDimension // 64
 * ```
 */
export const decodeGgufModel = (
  bytes: Uint8Array,
  path: string,
): Result.Result<GgufModel, CheckpointFormatError> =>
  Result.gen(function* () {
    const { metadata, tensors } = yield* decodeGguf(bytes, path)
    const config = yield* placeLlama(metadata, tensors, path)
    const weights = new Map(
      [...tensors].map(([name, tensor]) => [name, decodeGgufTensor(tensor)] as const),
    )
    return makeGgufModel(config, metadata, weights)
  })
