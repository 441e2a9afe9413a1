import { Effect, Result, Schema } from "effect"
import type { InvalidModelConfig } from "./invalid_model_config.ts"
import { Activation } from "./learned_position_decoder.ts"
import { checkSizes, decodeSizes, Extent, PositiveNumber } from "./model_sizes.ts"

/**
 * The sizes of a GPT-2-style decoder.
 *
 * `activation` (default `gelu_tanh`) stands inside the feed-forward network, `normEpsilon` (default
 * 1e-5) is added to the variance inside layer norm, and `tiedEmbeddings` (default `true`) says that the
 * output head is the embedding matrix.
 *
 * Source: Radford et al. 2019, "Language models are unsupervised multitask learners".
 */
export const Gpt2Config = Schema.Struct({
  dimension: Extent,
  hiddenDimension: Extent,
  layers: Extent,
  heads: Extent,
  vocabularySize: Extent,
  contextLength: Extent,
  activation: Activation.pipe(Schema.withDecodingDefaultKey(Effect.succeed("gelu_tanh" as const))),
  tiedEmbeddings: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(true))),
  normEpsilon: PositiveNumber.pipe(Schema.withDecodingDefaultKey(Effect.succeed(1e-5))),
})
export type Gpt2Config = typeof Gpt2Config.Type

const decode = decodeSizes(Gpt2Config)

/**
 * Fills in the defaults of a configuration and checks it.
 *
 * Fails with {@link InvalidModelConfig}.
 *
 * @example
 * ```ts
 * const config = Result.getOrThrow(
 *   makeGpt2Config({
 *     dimension: 8,
 *     hiddenDimension: 32,
 *     layers: 2,
 *     heads: 2,
 *     vocabularySize: 16,
 *     contextLength: 8,
 *   }),
 * )
 * config.activation // gelu_tanh
 * ```
 */
export const makeGpt2Config = (
  input: typeof Gpt2Config.Encoded,
): Result.Result<Gpt2Config, InvalidModelConfig> => Result.flatMap(decode(input), checkSizes)
