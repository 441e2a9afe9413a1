import { Result, Schema } from "effect"
import { decodeStrictUtf8, encodeUtf8 } from "../bytes.ts"
import { CheckpointFormatError } from "../checkpoint_format_error.ts"
import type { InvalidModelConfig } from "../invalid_model_config.ts"
import { findRepeatedKey } from "../json_keys.ts"
import { decodeGpt2, encodeGpt2 } from "./gpt2_configuration.ts"
import { decodeLlama, encodeLlama } from "./llama_configuration.ts"
import type { HuggingFaceConfiguration } from "./model.ts"
import { decodeOpt, encodeOpt } from "./opt_configuration.ts"
import { DifferentField } from "./supported_fields.ts"

const families: ReadonlyMap<string, typeof decodeLlama> = new Map([
  ["llama", decodeLlama],
  ["mistral", decodeLlama],
  ["qwen2", decodeLlama],
  ["gpt2", decodeGpt2],
  ["opt", decodeOpt],
])

const decodeJson = Schema.decodeUnknownResult(
  Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown)),
)

const isDifferent = (
  error: DifferentField | Schema.SchemaError | InvalidModelConfig,
): error is DifferentField => error instanceof DifferentField

/**
 * Reads the `config.json` of a decoder: `model_type` llama (where it is absent), mistral, qwen2, gpt2
 * or opt. Absent keys take the defaults of transformers' configuration classes. Keys that do not
 * concern what is computed are left alone.
 *
 * Fails with {@link CheckpointFormatError}, which names the field, where the file is no such
 * configuration or asks for what is not supported: another activation, scaling of rotary embeddings or
 * kind of attention, biases elsewhere, quantised weights.
 *
 * A sliding window (Mistral, some Qwen2) limits the context to the window: within it, attention is the
 * same as without one.
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
 * const bytes = encodeHuggingFaceConfig({ family: "llama", config })
 * Result.getOrThrow(decodeHuggingFaceConfig(bytes, "config.json")).config.heads // 2
 * ```
 */
export const decodeHuggingFaceConfig = (
  bytes: Uint8Array,
  path: string,
): Result.Result<HuggingFaceConfiguration, CheckpointFormatError> => {
  const fail = (expected: string, found: string, hint: string) =>
    Result.fail(new CheckpointFormatError({ path, expected, found, hint }))
  const text = decodeStrictUtf8(bytes)
  if (text === undefined) return fail("JSON in UTF-8", "other bytes", "Is this another file?")
  const json = decodeJson(text)
  if (Result.isFailure(json)) {
    return fail("a JSON object", "something else", "Is this another file, or a damaged one?")
  }
  const repeated = findRepeatedKey(text)
  if (repeated !== undefined) return fail("every key once", `${repeated} twice`, "Remove one.")
  const modelType = json.success["model_type"] ?? "llama"
  const decode = typeof modelType === "string" ? families.get(modelType) : undefined
  if (decode === undefined) {
    const known = [...families.keys()].join(", ")
    return fail(`model_type in ${known}`, JSON.stringify(modelType), "Other kinds are not known.")
  }
  return Result.mapError(decode(json.success), (error) => {
    if (isDifferent(error)) {
      const { field, expected, found } = error
      const hint = "Models with another value are not supported."
      return new CheckpointFormatError({ path, expected: `${field} ${expected}`, found, hint })
    }
    if (error._tag === "InvalidModelConfig") {
      const { field, expected, found, hint } = error
      return new CheckpointFormatError({
        path,
        expected: `${field} to be ${expected}`,
        found,
        hint,
      })
    }
    return new CheckpointFormatError({
      path,
      expected: `the config.json of a ${JSON.stringify(modelType)} model`,
      found: error.message.replaceAll(/\s+/g, " "),
      hint: "Is this another file, or is a field missing?",
    })
  })
}

/** The tokens that `config.json` names as begin and end of a text. */
export interface SpecialTokens {
  readonly begin?: number
  readonly end?: number
}

/**
 * Writes the `config.json` with which transformers loads the model; begin and end are tokens 1 and 2
 * unless told otherwise. A model, or only its family and sizes.
 *
 * A LLaMA-style model is a `MistralForCausalLM` where it has a sliding window, a `Qwen2ForCausalLM`
 * where it has biases, and a `LlamaForCausalLM` otherwise.
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
 * const bytes = encodeHuggingFaceConfig({ family: "llama", config })
 * ```
 */
export const encodeHuggingFaceConfig = (
  configuration: HuggingFaceConfiguration,
  tokens: SpecialTokens = { begin: 1, end: 2 },
): Uint8Array => {
  const fields =
    configuration.family === "llama"
      ? encodeLlama(configuration.config)
      : configuration.family === "gpt2"
        ? encodeGpt2(configuration.config)
        : encodeOpt(configuration.config)
  const all = {
    ...fields,
    bos_token_id: tokens.begin ?? null,
    eos_token_id: tokens.end ?? null,
    torch_dtype: "float32",
  }
  return encodeUtf8(`${JSON.stringify(all, undefined, 2)}\n`)
}
