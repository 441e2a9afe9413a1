import { Effect, Result, Schema } from "effect"
import { InvalidModelConfig } from "./invalid_model_config.ts"
import { Activation } from "./learned_position_decoder.ts"
import { checkSizes, decodeSizes, Extent } from "./model_sizes.ts"

/**
 * The sizes of an OPT-style decoder.
 *
 * `embeddingDimension` (default `dimension`) is the width of the embeddings; where it is another, two
 * linears lead from it to `dimension` and back (OPT-350M). `normBefore` (default `true`) says whether
 * layer norms stand before attention and network or after the addition (OPT-350M), `finalNorm` (default
 * `normBefore`) whether there is one before the head. `activation` is `relu` by default, and
 * `tiedEmbeddings` (default `true`) says that the output head is the embedding matrix.
 *
 * Source: Zhang et al. 2022, "OPT: open pre-trained transformer language models".
 */
export const OptConfig = Schema.Struct({
  dimension: Extent,
  embeddingDimension: Schema.optionalKey(Extent),
  hiddenDimension: Extent,
  layers: Extent,
  heads: Extent,
  vocabularySize: Extent,
  contextLength: Extent,
  activation: Activation.pipe(Schema.withDecodingDefaultKey(Effect.succeed("relu" as const))),
  normBefore: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(true))),
  finalNorm: Schema.optionalKey(Schema.Boolean),
  tiedEmbeddings: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(true))),
})
export type OptConfig = typeof OptConfig.Type

const decode = decodeSizes(OptConfig)

/**
 * Fills in the defaults of a configuration and checks it.
 *
 * Fails with {@link InvalidModelConfig}.
 *
 * @example
 * ```ts
 * const config = Result.getOrThrow(
 *   makeOptConfig({
 *     dimension: 8,
 *     hiddenDimension: 32,
 *     layers: 2,
 *     heads: 2,
 *     vocabularySize: 16,
 *     contextLength: 8,
 *   }),
 * )
 * config.activation // relu
 * ```
 */
export const makeOptConfig = (
  input: typeof OptConfig.Encoded,
): Result.Result<OptConfig, InvalidModelConfig> =>
  decode(input).pipe(
    Result.flatMap(checkSizes),
    Result.filterOrFail(
      ({ normBefore, finalNorm }) => normBefore || finalNorm !== true,
      () =>
        new InvalidModelConfig({
          field: "finalNorm",
          expected: "false where normBefore is",
          found: "true",
          hint: "Norms after each addition leave nothing to do before the head.",
        }),
    ),
  )
