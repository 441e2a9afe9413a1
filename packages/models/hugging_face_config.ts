import { Result, Schema } from "effect"
import { decodeStrictUtf8, encodeUtf8 } from "./bytes.ts"
import { CheckpointFormatError } from "./checkpoint_format_error.ts"
import type { LlamaConfig } from "./llama_config.ts"
import { headDimension, makeLlamaConfig } from "./llama_config.ts"

const optional = <S extends Schema.Constraint>(schema: S) =>
  Schema.optionalKey(Schema.Union([schema, Schema.Null]))

const HuggingFaceConfig = Schema.fromJsonString(
  Schema.Struct({
    model_type: optional(Schema.String),
    hidden_size: Schema.Finite,
    intermediate_size: Schema.Finite,
    num_hidden_layers: Schema.Finite,
    num_attention_heads: Schema.Finite,
    num_key_value_heads: optional(Schema.Finite),
    vocab_size: Schema.Finite,
    max_position_embeddings: optional(Schema.Finite),
    tie_word_embeddings: optional(Schema.Boolean),
    rms_norm_eps: optional(Schema.Finite),
    rope_theta: optional(Schema.Finite),
    rope_parameters: optional(
      Schema.Struct({ rope_theta: optional(Schema.Finite), rope_type: optional(Schema.String) }),
    ),
    rope_scaling: optional(Schema.Unknown),
    head_dim: optional(Schema.Finite),
    hidden_act: optional(Schema.String),
    attention_bias: optional(Schema.Boolean),
    mlp_bias: optional(Schema.Boolean),
  }),
)
const decode = Schema.decodeUnknownResult(HuggingFaceConfig)

/**
 * Reads the `config.json` of a `LlamaForCausalLM`. Absent keys take the defaults of transformers'
 * `LlamaConfig` (among them `rms_norm_eps` 1e-6 and untied embeddings); keys that do not concern the
 * model's shape are left alone.
 *
 * Fails with {@link CheckpointFormatError} where the file is no such configuration or asks for what is
 * not supported: another activation, biases, scaled rotary embeddings, a separate head width.
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
 * const bytes = encodeHuggingFaceConfig(config)
 * Result.getOrThrow(decodeHuggingFaceConfig(bytes, "config.json")).heads // 2
 * ```
 */
export const decodeHuggingFaceConfig = (
  bytes: Uint8Array,
  path: string,
): Result.Result<LlamaConfig, CheckpointFormatError> => {
  const fail = (expected: string, found: string, hint: string) =>
    Result.fail(new CheckpointFormatError({ path, expected, found, hint }))
  const text = decodeStrictUtf8(bytes)
  if (text === undefined) return fail("JSON in UTF-8", "other bytes", "Is this another file?")
  const decoded = decode(text)
  if (Result.isFailure(decoded)) {
    return fail(
      "the config.json of a LlamaForCausalLM",
      decoded.failure.message.replaceAll(/\s+/g, " "),
      "Is this another file, or the configuration of another kind of model?",
    )
  }
  const theirs = decoded.success
  const unsupported = "Models with another value are not supported."
  const heads = theirs.num_attention_heads
  const fixed: ReadonlyArray<readonly [key: string, wanted: unknown, found: unknown]> = [
    ["model_type", "llama", theirs.model_type ?? "llama"],
    ["hidden_act", "silu", theirs.hidden_act ?? "silu"],
    ["attention_bias", false, theirs.attention_bias ?? false],
    ["mlp_bias", false, theirs.mlp_bias ?? false],
    ["rope_scaling", null, theirs.rope_scaling ?? null],
    ["rope_parameters.rope_type", "default", theirs.rope_parameters?.rope_type ?? "default"],
    ["head_dim", theirs.hidden_size / heads, theirs.head_dim ?? theirs.hidden_size / heads],
  ]
  for (const [key, wanted, found] of fixed) {
    if (!Object.is(wanted, found)) {
      return fail(`${key} ${JSON.stringify(wanted)}`, JSON.stringify(found), unsupported)
    }
  }
  const config = makeLlamaConfig({
    dimension: theirs.hidden_size,
    hiddenDimension: theirs.intermediate_size,
    layers: theirs.num_hidden_layers,
    heads,
    keyValueHeads: theirs.num_key_value_heads ?? heads,
    vocabularySize: theirs.vocab_size,
    contextLength: theirs.max_position_embeddings ?? 2048,
    tiedEmbeddings: theirs.tie_word_embeddings ?? false,
    ropeTheta: theirs.rope_parameters?.rope_theta ?? theirs.rope_theta ?? 10000,
    normEpsilon: theirs.rms_norm_eps ?? 1e-6,
  })
  return Result.mapError(
    config,
    ({ field, expected, found, hint }) =>
      new CheckpointFormatError({ path, expected: `${field} to be ${expected}`, found, hint }),
  )
}

/**
 * Writes the `config.json` with which transformers loads the model as a `LlamaForCausalLM`; begin and
 * end are tokens 1 and 2 unless told otherwise.
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
 * const bytes = encodeHuggingFaceConfig(config)
 * ```
 */
export const encodeHuggingFaceConfig = (
  config: LlamaConfig,
  tokens: { readonly begin?: number; readonly end?: number } = { begin: 1, end: 2 },
): Uint8Array =>
  encodeUtf8(
    `${JSON.stringify(
      {
        architectures: ["LlamaForCausalLM"],
        model_type: "llama",
        hidden_size: config.dimension,
        intermediate_size: config.hiddenDimension,
        num_hidden_layers: config.layers,
        num_attention_heads: config.heads,
        num_key_value_heads: config.keyValueHeads,
        head_dim: headDimension(config),
        vocab_size: config.vocabularySize,
        max_position_embeddings: config.contextLength,
        tie_word_embeddings: config.tiedEmbeddings,
        rope_theta: config.ropeTheta,
        rms_norm_eps: config.normEpsilon,
        hidden_act: "silu",
        attention_bias: false,
        mlp_bias: false,
        bos_token_id: tokens.begin ?? null,
        eos_token_id: tokens.end ?? null,
        torch_dtype: "float32",
      },
      undefined,
      2,
    )}\n`,
  )
