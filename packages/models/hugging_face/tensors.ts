import { HostArray, Tree } from "@espalier/tensor"
import { Result, Schema } from "effect"
import type { CausalLM } from "../causal_lm.ts"
import type { CheckpointFormatError } from "../checkpoint_format_error.ts"
import { gatherRows, placeRows, storedShape } from "./arrangement.ts"
import { findTensors, fullName } from "./find_tensors.ts"
import type { PlacedParameter } from "./layout.ts"
import { layoutOf } from "./layout.ts"
import type { HuggingFaceConfiguration, HuggingFaceModel } from "./model.ts"
import { isHuggingFaceModel } from "./model.ts"

/** A model of a family that has no Hugging Face layout here. */
export class UnsupportedFamily extends Schema.TaggedError<UnsupportedFamily>()(
  "UnsupportedFamily",
  { family: Schema.String, hint: Schema.String },
) {
  override get message(): string {
    return `A ${this.family} model has no Hugging Face layout. ${this.hint}`
  }
}

/** The model as one whose family and sizes are known, or a failure that names its family. */
export const requireHuggingFaceModel = (
  model: CausalLM,
): Result.Result<HuggingFaceModel, UnsupportedFamily> =>
  isHuggingFaceModel(model)
    ? Result.succeed(model)
    : Result.fail(
        new UnsupportedFamily({
          family: model.family,
          hint: "Models of the families llama, gpt2 and opt can be written.",
        }),
      )

/**
 * The Hugging Face name of each parameter, by its path in the tree.
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
 * const names = huggingFaceNames({ family: "llama", config })
 * names.get("blocks.0.query") // "model.layers.0.self_attn.q_proj.weight"
 * ```
 */
export const huggingFaceNames = (
  configuration: HuggingFaceConfiguration,
): ReadonlyMap<string, string> => {
  const { parameters, prefixes } = layoutOf(configuration)
  const placed = Tree.leaves<PlacedParameter>(parameters)
  return new Map(
    Tree.entries(parameters).map(([path], i) => [path, fullName(placed[i], prefixes[0])]),
  )
}

const floatsOf = ({ data }: HostArray.HostArray): Float32Array =>
  data instanceof Float32Array ? data : Float32Array.from(data)

/** A parameter as it lies in a file; not a copy where that is how it lies in memory. */
const toStored = (
  { arrangement, shape }: PlacedParameter,
  leaf: HostArray.HostArray,
): HostArray.HostArray => {
  if (arrangement.kind === "plain") return leaf
  const stored = new Float32Array(leaf.data.length)
  gatherRows(arrangement, shape, floatsOf(leaf), 0, stored)
  return HostArray.make(storedShape(arrangement, shape), stored)
}

/**
 * A model's parameters under their Hugging Face names and in the layout that transformers reads: rows
 * of LLaMA's queries and keys are reordered (Hugging Face turns row `i` of a head with row
 * `i + width/2`, llama2.c and Meta's files row `2i` with row `2i + 1`), the linears of GPT-2 transposed.
 * What needs no change is not copied.
 *
 * Fails with {@link UnsupportedFamily}.
 *
 * Source: `permute` in transformers' `convert_llama_weights_to_hf.py`.
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
 * const tensors = Result.getOrThrow(toHuggingFace(makeLlama(config, zeros)))
 * const bytes = encodeSafetensors(tensors, { format: "pt" })
 * ```
 */
export const toHuggingFace = (
  model: CausalLM,
): Result.Result<ReadonlyMap<string, HostArray.HostArray>, UnsupportedFamily> =>
  Result.map(requireHuggingFaceModel(model), (known) => {
    const { parameters, prefixes } = layoutOf(known)
    const leaves = Tree.leaves<HostArray.HostArray>(known.parameters)
    return new Map(
      Tree.leaves<PlacedParameter>(parameters).map((placed, i) => [
        fullName(placed, prefixes[0]),
        toStored(placed, leaves[i]),
      ]),
    )
  })

/**
 * A model with this family and these sizes from tensors under their Hugging Face names, with or without
 * the usual `model.` or `transformer.` before them. An `lm_head.weight` beside tied embeddings and
 * tensors that are not learned (rotary frequencies, GPT-2's masks) are left alone; any other tensor too
 * many, a missing one or another shape is an error.
 *
 * Fails with {@link CheckpointFormatError}; `path` is only used in messages.
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
 * const tensors = Result.getOrThrow(toHuggingFace(makeLlama(config, zeros)))
 * const model = Result.getOrThrow(fromHuggingFace({ family: "llama", config }, tensors, "m.safetensors"))
 * ```
 */
export const fromHuggingFace = (
  configuration: HuggingFaceConfiguration,
  tensors: ReadonlyMap<string, HostArray.HostArray>,
  path: string,
): Result.Result<HuggingFaceModel, CheckpointFormatError> => {
  const layout = layoutOf(configuration)
  return Result.map(findTensors(layout, tensors, path), (names) =>
    layout.make(
      Tree.map(layout.parameters, ({ shape, arrangement }: PlacedParameter, parameter) => {
        const found = tensors.get(names.get(parameter)!)!
        if (arrangement.kind === "plain") return found
        const memory = new Float32Array(found.data.length)
        placeRows(arrangement, shape, floatsOf(found), 0, memory)
        return HostArray.make(shape, memory)
      }),
    ),
  )
}
