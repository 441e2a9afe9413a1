import { Effect, Result, Schema } from "effect"

const Extent = Schema.Int.check(Schema.isGreaterThan(0))
const Positive = Schema.Finite.check(Schema.isGreaterThan(0))

/**
 * The sizes of a LLaMA-style decoder: plain data, the same for every file format.
 *
 * `ropeTheta` (default 10000) is the base of the rotary wavelengths, `normEpsilon` (default 1e-5) is
 * added to the mean square inside RMSNorm, and `tiedEmbeddings` (default `true`) says that the output
 * head is the embedding matrix.
 *
 * Source: Touvron et al. 2023, "LLaMA", with the grouped-query attention of Llama 2.
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
 * headDimension(config) // 4
 * ```
 */
export const LlamaConfig = Schema.Struct({
  dimension: Extent,
  hiddenDimension: Extent,
  layers: Extent,
  heads: Extent,
  keyValueHeads: Extent,
  vocabularySize: Extent,
  contextLength: Extent,
  tiedEmbeddings: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(true))),
  ropeTheta: Positive.pipe(Schema.withDecodingDefaultKey(Effect.succeed(10000))),
  normEpsilon: Positive.pipe(Schema.withDecodingDefaultKey(Effect.succeed(1e-5))),
})
export type LlamaConfig = typeof LlamaConfig.Type

/** The sizes do not describe a model: which field, what was expected of it, what was found. */
export class InvalidLlamaConfig extends Schema.TaggedError<InvalidLlamaConfig>()(
  "InvalidLlamaConfig",
  {
    field: Schema.String,
    expected: Schema.String,
    found: Schema.String,
    hint: Schema.String,
  },
) {
  override get message(): string {
    return `Model configuration: ${this.field} must be ${this.expected}, found ${this.found}. ${this.hint}`
  }
}

/** Width of one attention head: `dimension / heads`. */
export const headDimension = (config: LlamaConfig): number => config.dimension / config.heads

/** Width of the keys and of the values: `keyValueHeads × headDimension`. */
export const keyValueDimension = (config: LlamaConfig): number =>
  config.keyValueHeads * headDimension(config)

const invalid = (field: string, expected: string, found: unknown, hint: string) =>
  Result.fail(new InvalidLlamaConfig({ field, expected, found: String(found), hint }))

/**
 * Checks what the types cannot say: every size is a positive integer, the heads divide the dimension,
 * the key-value heads divide the heads, and a head has an even width (rotary embeddings turn pairs).
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
 * Result.isFailure(validateLlamaConfig({ ...config, heads: 3 })) // true: 3 does not divide 8
 * ```
 */
export const validateLlamaConfig = (
  config: LlamaConfig,
): Result.Result<LlamaConfig, InvalidLlamaConfig> => {
  for (const field of [
    "dimension",
    "hiddenDimension",
    "layers",
    "heads",
    "keyValueHeads",
    "vocabularySize",
    "contextLength",
  ] as const) {
    const value = config[field]
    if (!Number.isSafeInteger(value) || value <= 0) {
      return invalid(field, "a positive integer", value, "Correct the size.")
    }
  }
  for (const field of ["ropeTheta", "normEpsilon"] as const) {
    if (!Number.isFinite(config[field]) || config[field] <= 0) {
      return invalid(
        field,
        "a positive number",
        config[field],
        "The usual values are 10000 and 1e-5.",
      )
    }
  }
  const { dimension, heads, keyValueHeads } = config
  if (dimension % heads !== 0) {
    return invalid(
      "heads",
      `a divisor of dimension ${dimension}`,
      heads,
      "Every head takes an equal share of the dimension.",
    )
  }
  if (heads % keyValueHeads !== 0) {
    return invalid(
      "keyValueHeads",
      `a divisor of heads ${heads}`,
      keyValueHeads,
      "Every key-value head serves an equal number of heads.",
    )
  }
  if (headDimension(config) % 2 !== 0) {
    return invalid(
      "dimension",
      `an even multiple of heads ${heads}`,
      dimension,
      `A head of width ${headDimension(config)} cannot carry rotary embeddings, which turn pairs.`,
    )
  }
  return Result.succeed(config)
}

const decode = Schema.decodeUnknownResult(LlamaConfig)

/**
 * Fills in the defaults of a configuration and checks it.
 *
 * Fails with {@link InvalidLlamaConfig}.
 */
export const makeLlamaConfig = (
  input: typeof LlamaConfig.Encoded,
): Result.Result<LlamaConfig, InvalidLlamaConfig> => {
  const decoded = decode(input)
  if (Result.isSuccess(decoded)) return validateLlamaConfig(decoded.success)
  const [reason, place] = decoded.failure.message.split("\n  at ")
  return invalid(
    place === undefined ? "the whole" : place.replaceAll(/[["\]]/g, ""),
    "a valid size",
    reason,
    "Sizes are positive integers; ropeTheta and normEpsilon are positive numbers.",
  )
}
