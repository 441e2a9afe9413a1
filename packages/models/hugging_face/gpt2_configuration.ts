import { Result, Schema } from "effect"
import type { Gpt2Config } from "../gpt2_config.ts"
import { makeGpt2Config } from "../gpt2_config.ts"
import type { InvalidModelConfig } from "../invalid_model_config.ts"
import { activationNames, decodeActivation } from "./activation.ts"
import type { HuggingFaceConfiguration } from "./model.ts"
import type { DifferentField, Json } from "./supported_fields.ts"
import { optional, requireArchitecture, requireFields, unquantized } from "./supported_fields.ts"

const Fields = Schema.Struct({
  n_embd: Schema.Finite,
  n_inner: optional(Schema.Finite),
  n_layer: Schema.Finite,
  n_head: Schema.Finite,
  n_positions: Schema.Finite,
  vocab_size: Schema.Finite,
  activation_function: optional(Schema.String),
  layer_norm_epsilon: optional(Schema.Finite),
  tie_word_embeddings: optional(Schema.Boolean),
})
const decode = Schema.decodeUnknownResult(Fields)

const architecture = "GPT2LMHeadModel"

const supported = {
  ...unquantized,
  scale_attn_weights: [true],
  scale_attn_by_inverse_layer_idx: [false],
  add_cross_attention: [false],
}

/** The sizes in the `config.json` of a gpt2 model. */
export const decodeGpt2 = (
  json: Json,
): Result.Result<
  HuggingFaceConfiguration,
  DifferentField | Schema.SchemaError | InvalidModelConfig
> =>
  Result.gen(function* () {
    const theirs = yield* decode(json)
    yield* requireArchitecture(json, [architecture])
    yield* requireFields(json, supported)
    const config = yield* makeGpt2Config({
      dimension: theirs.n_embd,
      hiddenDimension: theirs.n_inner ?? 4 * theirs.n_embd,
      layers: theirs.n_layer,
      heads: theirs.n_head,
      vocabularySize: theirs.vocab_size,
      contextLength: theirs.n_positions,
      activation: yield* decodeActivation(json, "activation_function", "gelu_new"),
      normEpsilon: theirs.layer_norm_epsilon ?? 1e-5,
      tiedEmbeddings: theirs.tie_word_embeddings ?? true,
    })
    return { family: "gpt2", config } as const
  })

/** The fields of `config.json` for a GPT-2-style model. */
export const encodeGpt2 = (config: Gpt2Config): Json => ({
  architectures: [architecture],
  model_type: "gpt2",
  n_embd: config.dimension,
  n_inner: config.hiddenDimension,
  n_layer: config.layers,
  n_head: config.heads,
  n_positions: config.contextLength,
  n_ctx: config.contextLength,
  vocab_size: config.vocabularySize,
  activation_function: activationNames[config.activation],
  layer_norm_epsilon: config.normEpsilon,
  tie_word_embeddings: config.tiedEmbeddings,
})
