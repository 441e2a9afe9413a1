import { Effect, Result, Schema } from "effect"
import { InvalidModelConfig } from "./invalid_model_config.ts"
import { RopeScaling } from "./llama_rotary.ts"

const Extent = Schema.Int.check(Schema.isGreaterThan(0))
const Positive = Schema.Finite.check(Schema.isGreaterThan(0))

/**
 * The sizes of a LLaMA-style decoder: plain data, the same for every file format. Mistral and Qwen2
 * are LLaMA with some of the optional fields.
 *
 * `ropeTheta` (default 10000) is the base of the rotary wavelengths, `normEpsilon` (default 1e-5) is
 * added to the mean square inside RMSNorm, and `tiedEmbeddings` (default `true`) says that the output
 * head is the embedding matrix. Where they are absent, a head is `dimension / heads` wide
 * (`headDimension`), queries, keys and values have no bias (`attentionBias`, as in Qwen2), rotary
 * wavelengths are not stretched (`ropeScaling`), and every token sees all before it (`slidingWindow`:
 * only so many, itself among them, as in Mistral). A context is never longer than the window: within
 * it, the two kinds of attention are the same, and longer ones are not supported.
 *
 * Source: Touvron et al. 2023, "LLaMA", with the grouped-query attention of Llama 2; Jiang et al. 2023,
 * "Mistral 7B"; Yang et al. 2024, "Qwen2 technical report".
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
  headDimension: Schema.optionalKey(Extent),
  attentionBias: Schema.optionalKey(Schema.Boolean),
  slidingWindow: Schema.optionalKey(Extent),
  ropeScaling: Schema.optionalKey(RopeScaling),
})
export type LlamaConfig = typeof LlamaConfig.Type

/** Width of one attention head: `dimension / heads` unless the configuration says another. */
export const headDimension = (config: LlamaConfig): number =>
  config.headDimension ?? config.dimension / config.heads

/** Width of the queries: `heads × headDimension`. */
export const queryDimension = (config: LlamaConfig): number => config.heads * headDimension(config)

/** Width of the keys and of the values: `keyValueHeads × headDimension`. */
export const keyValueDimension = (config: LlamaConfig): number =>
  config.keyValueHeads * headDimension(config)

const invalid = (field: string, expected: string, found: unknown, hint: string) =>
  Result.fail(new InvalidModelConfig({ field, expected, found: String(found), hint }))

/**
 * Checks what the types cannot say: every size is a positive integer, the heads divide the dimension
 * (unless their width is given), the key-value heads divide the heads, a head has an even width
 * (rotary embeddings turn pairs), and the context is not longer than a sliding window.
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
): Result.Result<LlamaConfig, InvalidModelConfig> => {
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
  const { dimension, heads, keyValueHeads, contextLength, slidingWindow, ropeScaling } = config
  if (config.headDimension === undefined && dimension % heads !== 0) {
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
  const width = headDimension(config)
  if (!Number.isSafeInteger(width) || width <= 0 || width % 2 !== 0) {
    const [field, expected, found] =
      config.headDimension === undefined
        ? ["dimension", `an even multiple of heads ${heads}`, dimension]
        : ["headDimension", "an even positive integer", width]
    const hint = `A head of width ${width} cannot carry rotary embeddings, which turn pairs.`
    return invalid(field, expected, found, hint)
  }
  if (slidingWindow !== undefined && !(contextLength <= slidingWindow)) {
    const hint = "Limit the context to the window: what lies beyond it is not supported."
    return invalid("contextLength", `at most slidingWindow ${slidingWindow}`, contextLength, hint)
  }
  if (ropeScaling?.kind === "llama3") {
    const { lowFrequencyFactor: low, highFrequencyFactor: high } = ropeScaling
    if (!(low < high)) {
      const hint = "Frequencies between the two are scaled in part."
      return invalid("ropeScaling.highFrequencyFactor", `above ${low}`, high, hint)
    }
  }
  return Result.succeed(config)
}

const decode = Schema.decodeUnknownResult(LlamaConfig)

/**
 * Fills in the defaults of a configuration and checks it.
 *
 * Fails with {@link InvalidModelConfig}.
 */
export const makeLlamaConfig = (
  input: typeof LlamaConfig.Encoded,
): Result.Result<LlamaConfig, InvalidModelConfig> => {
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
