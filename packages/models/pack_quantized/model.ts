import type { HostArray } from "@espalier/tensor"
import { Tree } from "@espalier/tensor"
import { Result } from "effect"
import { decodeStrictUtf8, encodeUtf8 } from "../bytes.ts"
import type { CausalLM } from "../causal_lm.ts"
import { CheckpointFormatError } from "../checkpoint_format_error.ts"
import type { UnstorableWeight } from "../gguf/unstorable_weight.ts"
import type { Arrangement } from "../hugging_face/arrangement.ts"
import { gatherRows } from "../hugging_face/arrangement.ts"
import type { SpecialTokens } from "../hugging_face/configuration.ts"
import { decodeHuggingFaceConfig, encodeHuggingFaceConfig } from "../hugging_face/configuration.ts"
import type { PlacedParameter } from "../hugging_face/layout.ts"
import { layoutOf } from "../hugging_face/layout.ts"
import type { HuggingFaceModel } from "../hugging_face/model.ts"
import type { UnsupportedFamily } from "../hugging_face/tensors.ts"
import {
  fromHuggingFace,
  huggingFaceNames,
  requireHuggingFaceModel,
  toHuggingFace,
} from "../hugging_face/tensors.ts"
import { findRepeatedKey } from "../json_keys.ts"
import { decodePackQuantized } from "./decode.ts"
import type { PackOptions } from "./encode.ts"
import { encodePackQuantized } from "./encode.ts"
import type { QuantizedMatrix } from "./quantized_matrix.ts"
import { dequantizeMatrix, reorderRows } from "./quantized_matrix.ts"
import type { RawTensor } from "./raw_safetensors.ts"
import { UnsupportedPacking } from "./unsupported_packing.ts"

/** A quantised model as the files of its folder hold it. */
export interface PackQuantizedModel {
  /** config.json, with its `quantization_config`. */
  readonly config: Uint8Array
  /** The tensors of model.safetensors; see `encodeRawSafetensors`. */
  readonly tensors: ReadonlyMap<string, RawTensor>
}

/** For each row of the file its row in memory. */
const rowOrder = (arrangement: Arrangement, rows: number): Float32Array => {
  const order = new Float32Array(rows)
  gatherRows(
    arrangement,
    [rows],
    Float32Array.from({ length: rows }, (_, row) => row),
    0,
    order,
  )
  return order
}

const inverse = (order: Float32Array): Float32Array => {
  const back = new Float32Array(order.length)
  order.forEach((row, i) => (back[row] = i))
  return back
}

const parameterPlaces = (model: Parameters<typeof layoutOf>[0]) => {
  const { parameters } = layoutOf(model)
  const placed = Tree.leaves<PlacedParameter>(parameters)
  return new Map(Tree.entries(parameters).map(([path], i) => [path, placed[i]]))
}

/**
 * A model with some of its linears quantised as a folder in the layout "pack-quantized" of
 * compressed-tensors: its config.json and its tensors under their Hugging Face names. `quantized` has
 * the linears by path, such as `blocks.0.query`, with rows as in memory; the others stay as they are.
 *
 * Fails as `encodePackQuantized` does, with {@link UnsupportedFamily} for a model that has no Hugging
 * Face layout, and with {@link UnsupportedPacking} for linears that lie transposed in it (GPT-2).
 * Throws a `RangeError` for a path that is no linear of the model, or another shape.
 *
 * @example
 * ```ts
 * const config = Result.getOrThrow(
 *   makeLlamaConfig({
 *     dimension: 8,
 *     hiddenDimension: 16,
 *     layers: 1,
 *     heads: 2,
 *     keyValueHeads: 1,
 *     vocabularySize: 10,
 *     contextLength: 4,
 *   }),
 * )
 * const zeros = mapLlamaParameters(llamaParameterShapes(config), (shape) => HostArray.zeros(shape))
 * const up: QuantizedMatrix = {
 *   shape: [16, 8], bits: 4, groupSize: 8,
 *   codes: new Uint8Array(128), scales: new Float32Array(16).fill(1), zeroPoints: new Uint8Array(16).fill(8),
 * }
 * const packed = Result.getOrThrow(
 *   encodePackQuantizedModel(makeLlama(config, zeros), new Map([["blocks.0.up", up]])),
 * )
 * packed.tensors.get("model.layers.0.mlp.up_proj.weight_packed")?.shape // [16, 1]
 * ```
 */
export const encodePackQuantizedModel = (
  model: CausalLM,
  quantized: ReadonlyMap<string, QuantizedMatrix>,
  options: Omit<PackOptions, "ignore"> & { readonly tokens?: SpecialTokens } = {},
): Result.Result<PackQuantizedModel, UnsupportedFamily | UnsupportedPacking | UnstorableWeight> =>
  Result.gen(function* () {
    const known = yield* requireHuggingFaceModel(model)
    const names = huggingFaceNames(known)
    const places = parameterPlaces(known)
    const linears = model.blocks.flatMap((block) => block.linears)
    const dense = new Map(yield* toHuggingFace(model))
    const matrices = new Map<string, QuantizedMatrix>()
    for (const [path, matrix] of quantized) {
      const linear = linears.find((each) => each.path === path)
      if (linear?.shape.join() !== matrix.shape.join()) {
        const found = linear === undefined ? "no linear" : `[${linear.shape.join(", ")}]`
        throw new RangeError(`${path} is ${found}, not [${matrix.shape.join(", ")}]`)
      }
      const [name, { arrangement }] = [names.get(path)!, places.get(path)!]
      if (arrangement.kind === "transposed") {
        return yield* Result.fail(
          new UnsupportedPacking({
            tensor: name,
            expected: "a weight [outputs, inputs]",
            found: "one that lies transposed in the files",
            hint: "Write another format.",
          }),
        )
      }
      const plain = arrangement.kind === "plain"
      const order = plain ? undefined : rowOrder(arrangement, matrix.shape[0])
      matrices.set(name, order === undefined ? matrix : reorderRows(matrix, order))
      dense.delete(name)
    }
    const ignore = linears
      .filter(({ path }) => !quantized.has(path))
      .map(({ path }) => names.get(path)!.replace(/\.weight$/, ""))
    const packed = yield* encodePackQuantized(
      { dense, quantized: matrices },
      { ...options, ignore: ["lm_head", ...ignore] },
    )
    const text = decodeStrictUtf8(encodeHuggingFaceConfig(known, options.tokens)) ?? "{}"
    const fields: Readonly<Record<string, unknown>> = JSON.parse(text)
    const config = { ...fields, quantization_config: packed.quantizationConfig }
    return {
      config: encodeUtf8(`${JSON.stringify(config, undefined, 2)}\n`),
      tensors: packed.tensors,
    }
  })

/** A model from such a folder: with weights in `f32`, and the codes that they came from. */
export interface UnpackedModel {
  readonly model: HuggingFaceModel
  /** By path, such as `blocks.0.query`, with rows as in memory. */
  readonly quantized: ReadonlyMap<string, QuantizedMatrix>
}

/** A config.json without its `quantization_config`, and that. */
const splitConfig = (bytes: Uint8Array): readonly [rest: Uint8Array, quantization: unknown] => {
  try {
    const text = decodeStrictUtf8(bytes) ?? ""
    const fields: Readonly<Record<string, unknown>> = JSON.parse(text)
    if (findRepeatedKey(text) !== undefined) return [bytes, undefined]
    const { quantization_config: quantization, ...rest } = fields
    return [encodeUtf8(JSON.stringify(rest)), quantization]
  } catch {
    // What is wrong with it is for the reader of configurations to say.
    return [bytes, undefined]
  }
}

/**
 * Reads the config.json and the tensors of a folder in the layout "pack-quantized" of
 * compressed-tensors as a model. Paths are only used in messages.
 *
 * Fails with {@link CheckpointFormatError} as `decodeHuggingFaceConfig`, `decodePackQuantized` and
 * `fromHuggingFace` do.
 *
 * @example
 * ```ts
 * const read = (config: Uint8Array, weights: Uint8Array) =>
 *   Result.gen(function* () {
 *     const tensors = yield* decodeRawSafetensors(weights, "model.safetensors")
 *     return yield* decodePackQuantizedModel({ config, tensors }, "config.json", "model.safetensors")
 *   })
 * ```
 */
export const decodePackQuantizedModel = (
  { config, tensors }: PackQuantizedModel,
  configPath: string,
  weightsPath: string,
): Result.Result<UnpackedModel, CheckpointFormatError> =>
  Result.gen(function* () {
    const [rest, quantization] = splitConfig(config)
    const configuration = yield* decodeHuggingFaceConfig(rest, configPath)
    if (quantization === undefined) {
      return yield* Result.fail(
        new CheckpointFormatError({
          path: configPath,
          expected: "a quantization_config",
          found: "none",
          hint: "The model is not quantised: open it as an ordinary folder.",
        }),
      )
    }
    const unpacked = yield* decodePackQuantized(tensors, quantization, weightsPath)
    const all = new Map<string, HostArray.HostArray>(unpacked.dense)
    for (const [name, matrix] of unpacked.quantized) all.set(name, dequantizeMatrix(matrix))
    const model = yield* fromHuggingFace(configuration, all, weightsPath)
    const names = huggingFaceNames(configuration)
    const quantized = new Map<string, QuantizedMatrix>()
    for (const [path, { arrangement, shape }] of parameterPlaces(configuration)) {
      const matrix = unpacked.quantized.get(names.get(path)!)
      if (matrix === undefined) continue
      const plain = arrangement.kind === "plain"
      const order = plain ? undefined : inverse(rowOrder(arrangement, shape[0]))
      quantized.set(path, order === undefined ? matrix : reorderRows(matrix, order))
    }
    return { model, quantized }
  })
