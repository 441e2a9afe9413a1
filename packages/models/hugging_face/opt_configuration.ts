import { Result, Schema } from "effect"
import type { InvalidModelConfig } from "../invalid_model_config.ts"
import type { OptConfig } from "../opt_config.ts"
import { makeOptConfig } from "../opt_config.ts"
import { activationNames, decodeActivation } from "./activation.ts"
import type { HuggingFaceConfiguration } from "./model.ts"
import type { DifferentField, Json } from "./supported_fields.ts"
import { optional, requireArchitecture, requireFields, unquantized } from "./supported_fields.ts"

const Fields = Schema.Struct({
  hidden_size: Schema.Finite,
  word_embed_proj_dim: optional(Schema.Finite),
  ffn_dim: Schema.Finite,
  num_hidden_layers: Schema.Finite,
  num_attention_heads: Schema.Finite,
  max_position_embeddings: Schema.Finite,
  vocab_size: Schema.Finite,
  activation_function: optional(Schema.String),
  do_layer_norm_before: optional(Schema.Boolean),
  _remove_final_layer_norm: optional(Schema.Boolean),
  tie_word_embeddings: optional(Schema.Boolean),
})
const decode = Schema.decodeUnknownResult(Fields)

const architecture = "OPTForCausalLM"

const supported = {
  ...unquantized,
  enable_bias: [true],
  layer_norm_elementwise_affine: [true],
}

/** The sizes in the `config.json` of an opt model. */
export const decodeOpt = (
  json: Json,
): Result.Result<
  HuggingFaceConfiguration,
  DifferentField | Schema.SchemaError | InvalidModelConfig
> =>
  Result.gen(function* () {
    const theirs = yield* decode(json)
    yield* requireArchitecture(json, [architecture])
    yield* requireFields(json, supported)
    const embeddingDimension = theirs.word_embed_proj_dim ?? theirs.hidden_size
    const config = yield* makeOptConfig({
      dimension: theirs.hidden_size,
      ...(embeddingDimension === theirs.hidden_size ? {} : { embeddingDimension }),
      hiddenDimension: theirs.ffn_dim,
      layers: theirs.num_hidden_layers,
      heads: theirs.num_attention_heads,
      vocabularySize: theirs.vocab_size,
      contextLength: theirs.max_position_embeddings,
      activation: yield* decodeActivation(json, "activation_function", "relu"),
      normBefore: theirs.do_layer_norm_before ?? true,
      ...(theirs._remove_final_layer_norm === true ? { finalNorm: false } : {}),
      tiedEmbeddings: theirs.tie_word_embeddings ?? true,
    })
    return { family: "opt", config } as const
  })

/** The fields of `config.json` for an OPT-style model. */
export const encodeOpt = (config: OptConfig): Json => ({
  architectures: [architecture],
  model_type: "opt",
  hidden_size: config.dimension,
  word_embed_proj_dim: config.embeddingDimension ?? config.dimension,
  ffn_dim: config.hiddenDimension,
  num_hidden_layers: config.layers,
  num_attention_heads: config.heads,
  max_position_embeddings: config.contextLength,
  vocab_size: config.vocabularySize,
  activation_function: activationNames[config.activation],
  do_layer_norm_before: config.normBefore,
  _remove_final_layer_norm: config.normBefore && config.finalNorm === false,
  tie_word_embeddings: config.tiedEmbeddings,
})
