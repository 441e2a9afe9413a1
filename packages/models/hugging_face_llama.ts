import { HostArray } from "@espalier/tensor"
import { Result } from "effect"
import { CheckpointFormatError } from "./checkpoint_format_error.ts"
import type { LlamaConfig } from "./llama_config.ts"
import {
  llamaParameterEntries,
  llamaParameterShapes,
  mapLlamaParameters,
} from "./llama_parameters.ts"
import type { LlamaParameters } from "./llama_parameters.ts"

const blockNames: ReadonlyMap<string, string> = new Map([
  ["attentionNorm", "input_layernorm"],
  ["query", "self_attn.q_proj"],
  ["key", "self_attn.k_proj"],
  ["value", "self_attn.v_proj"],
  ["output", "self_attn.o_proj"],
  ["feedForwardNorm", "post_attention_layernorm"],
  ["gate", "mlp.gate_proj"],
  ["up", "mlp.up_proj"],
  ["down", "mlp.down_proj"],
])

/**
 * The Hugging Face name of a parameter.
 *
 * @example
 * ```ts
 * huggingFaceName("blocks.0.query") // "model.layers.0.self_attn.q_proj.weight"
 * ```
 */
export const huggingFaceName = (name: string): string => {
  if (name === "embedding") return "model.embed_tokens.weight"
  if (name === "norm") return "model.norm.weight"
  if (name === "head") return "lm_head.weight"
  const [, layer, field] = name.split(".")
  const theirs = blockNames.get(field)
  if (theirs === undefined) throw new RangeError(`${name} is no parameter of a LLaMA model`)
  return `model.layers.${layer}.${theirs}.weight`
}

/** For each row of the half-split layout, the row of the interleaved layout that it holds. */
const halfSplitRows = (heads: number, rows: number): ReadonlyArray<number> => {
  const width = rows / heads
  return Array.from({ length: rows }, (_, row) => {
    const within = row % width
    const pair = within % (width / 2)
    const side = within < width / 2 ? 0 : 1
    return row - within + 2 * pair + side
  })
}

const permuteRows = (
  { shape, dtype, data }: HostArray.HostArray,
  heads: number,
  direction: "to half-split" | "to interleaved",
): HostArray.HostArray => {
  const [rows, columns] = shape
  const permuted = data.slice()
  halfSplitRows(heads, rows).forEach((interleaved, half) => {
    const [from, to] = direction === "to half-split" ? [interleaved, half] : [half, interleaved]
    permuted.set(data.subarray(from * columns, (from + 1) * columns), to * columns)
  })
  return HostArray.make(shape, permuted, dtype)
}

const permuted = (
  config: LlamaConfig,
  name: string,
  leaf: HostArray.HostArray,
  direction: "to half-split" | "to interleaved",
): HostArray.HostArray =>
  name.endsWith(".query")
    ? permuteRows(leaf, config.heads, direction)
    : name.endsWith(".key")
      ? permuteRows(leaf, config.keyValueHeads, direction)
      : leaf

/**
 * The parameters under their Hugging Face names, as `LlamaForCausalLM` reads them. Rows of the query
 * and key matrices are reordered: Hugging Face turns row `i` of a head with row `i + width/2`, llama2.c
 * (and Meta's files) row `2i` with row `2i + 1`.
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
 * const parameters = mapLlamaParameters(llamaParameterShapes(config), (shape) =>
 *   HostArray.make(shape, new Float32Array(shape.reduce((a, b) => a * b))),
 * )
 * const bytes = encodeSafetensors(toHuggingFace(config, parameters), { format: "pt" })
 * ```
 */
export const toHuggingFace = (
  config: LlamaConfig,
  parameters: LlamaParameters<HostArray.HostArray>,
): ReadonlyMap<string, HostArray.HostArray> =>
  new Map(
    llamaParameterEntries(parameters).map(([name, leaf]) => [
      huggingFaceName(name),
      permuted(config, name, leaf, "to half-split"),
    ]),
  )

/**
 * Takes the parameters of a model with these sizes from tensors under their Hugging Face names. An
 * `lm_head.weight` beside tied embeddings and rotary frequencies (`…rotary_emb.inv_freq`) are left
 * alone; any other tensor too many, a missing one or another shape is an error.
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
 * const parameters = mapLlamaParameters(llamaParameterShapes(config), (shape) =>
 *   HostArray.make(shape, new Float32Array(shape.reduce((a, b) => a * b))),
 * )
 * const tensors = toHuggingFace(config, parameters)
 * const back = Result.getOrThrow(fromHuggingFace(config, tensors, "model.safetensors"))
 * ```
 */
export const fromHuggingFace = (
  config: LlamaConfig,
  tensors: ReadonlyMap<string, HostArray.HostArray>,
  path: string,
): Result.Result<LlamaParameters<HostArray.HostArray>, CheckpointFormatError> => {
  const shapes = llamaParameterShapes(config)
  const known = new Set<string>(["lm_head.weight"])
  for (const [name, shape] of llamaParameterEntries(shapes)) {
    const theirs = huggingFaceName(name)
    known.add(theirs)
    const found = tensors.get(theirs)
    if (found?.shape.join() !== shape.join()) {
      return Result.fail(
        new CheckpointFormatError({
          path,
          expected: `${theirs} [${shape.join(", ")}]`,
          found: found === undefined ? "no such tensor" : `[${found.shape.join(", ")}]`,
          hint:
            theirs === "lm_head.weight" && found === undefined
              ? "Set tie_word_embeddings in config.json if the embeddings serve as the head."
              : "Do config.json and the weights belong together, and is no part of the weights missing?",
        }),
      )
    }
  }
  for (const name of tensors.keys()) {
    if (!known.has(name) && !name.endsWith("rotary_emb.inv_freq")) {
      return Result.fail(
        new CheckpointFormatError({
          path,
          expected: `the tensors of a LLaMA model with ${config.layers} layers`,
          found: `${name} besides`,
          hint: "Do config.json and the weights belong together? Biases and adapters are not supported.",
        }),
      )
    }
  }
  return Result.succeed(
    mapLlamaParameters(shapes, (_, name) =>
      permuted(config, name, tensors.get(huggingFaceName(name))!, "to interleaved"),
    ),
  )
}
