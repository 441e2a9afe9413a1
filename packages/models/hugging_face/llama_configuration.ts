import { Result, Schema } from "effect"
import type { InvalidModelConfig } from "../invalid_model_config.ts"
import type { LlamaConfig } from "../llama_config.ts"
import { headDimension, makeLlamaConfig } from "../llama_config.ts"
import type { RopeScaling } from "../llama_rotary.ts"
import type { HuggingFaceConfiguration } from "./model.ts"
import type { Json } from "./supported_fields.ts"
import {
  DifferentField,
  optional,
  requireArchitecture,
  requireFields,
  unquantized,
} from "./supported_fields.ts"

const Rope = Schema.Struct({
  rope_theta: optional(Schema.Finite),
  rope_type: optional(Schema.String),
  // Its name before transformers 4.43.
  type: optional(Schema.String),
  factor: optional(Schema.Finite),
  low_freq_factor: optional(Schema.Finite),
  high_freq_factor: optional(Schema.Finite),
  original_max_position_embeddings: optional(Schema.Finite),
})

/** What may stand in a {@link Rope} besides. */
const ropeKeys = [...Object.keys(Rope.fields), "partial_rotary_factor"]

const Fields = Schema.Struct({
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
  rope_parameters: optional(Rope),
  rope_scaling: optional(Rope),
  head_dim: optional(Schema.Finite),
  sliding_window: optional(Schema.Finite),
  use_sliding_window: optional(Schema.Boolean),
  layer_types: optional(Schema.Array(Schema.String)),
})
type Fields = typeof Fields.Type
const decode = Schema.decodeUnknownResult(Fields)

/** What transformers takes where a key is absent (null is another thing). */
const defaults = {
  llama: { context: 2048, keyValueHeads: undefined, window: undefined },
  mistral: { context: 131072, keyValueHeads: 8, window: 4096 },
  qwen2: { context: 32768, keyValueHeads: 32, window: 4096 },
} as const

const architectures = {
  llama: "LlamaForCausalLM",
  mistral: "MistralForCausalLM",
  qwen2: "Qwen2ForCausalLM",
} as const

const supported = {
  ...unquantized,
  hidden_act: ["silu", "swish"],
  // Qwen2's biases stand in no field; those of this one would be on the output too.
  attention_bias: [false],
  mlp_bias: [false],
  partial_rotary_factor: [1],
}

const different = (field: string, expected: string, found: unknown) =>
  Result.fail(new DifferentField({ field, expected, found: JSON.stringify(found) ?? "nothing" }))

const decodeRope = (
  field: string,
  rope: typeof Rope.Type,
): Result.Result<RopeScaling | undefined, DifferentField> => {
  const kind = rope.rope_type ?? rope.type ?? "default"
  if (kind === "default") return Result.succeed(undefined)
  const key = `${field}.${rope.rope_type === undefined ? "type" : "rope_type"}`
  if (kind !== "linear" && kind !== "llama3") {
    return different(key, '"default", "linear" or "llama3"', kind)
  }
  const number = (name: keyof typeof rope) => {
    const value = rope[name]
    return typeof value === "number" && value > 0
      ? Result.succeed(value)
      : different(`${field}.${name}`, "a positive number", value)
  }
  return Result.gen(function* () {
    const factor = yield* number("factor")
    if (kind === "linear") return { kind, factor }
    return {
      kind,
      factor,
      lowFrequencyFactor: yield* number("low_freq_factor"),
      highFrequencyFactor: yield* number("high_freq_factor"),
      originalContextLength: yield* number("original_max_position_embeddings"),
    }
  })
}

/** Fails for a key of a {@link Rope} that says what is not known here. */
const requireRopeKeys = (json: Json, field: string): Result.Result<void, DifferentField> => {
  const rope = json[field]
  if (typeof rope !== "object" || rope === null) return Result.void
  const odd = Object.entries(rope).find(
    ([key, value]) =>
      value !== null &&
      (!ropeKeys.includes(key) || (key === "partial_rotary_factor" && value !== 1)),
  )
  if (odd === undefined) return Result.void
  return different(`${field}.${odd[0]}`, "absent", odd[1])
}

/** The window that limits the context, or `undefined` where every token sees all before it. */
const windowOf = (modelType: keyof typeof defaults, theirs: Fields): number | undefined => {
  if (modelType === "llama") return undefined
  if (modelType === "qwen2" && theirs.use_sliding_window !== true) return undefined
  const window = theirs.sliding_window
  return (window === undefined ? defaults[modelType].window : window) ?? undefined
}

const layerTypes = ["full_attention", "sliding_attention"]

const keyValueHeadsOf = (modelType: keyof typeof defaults, theirs: Fields): number => {
  const given = theirs.num_key_value_heads
  const count = given === undefined ? defaults[modelType].keyValueHeads : given
  return count ?? theirs.num_attention_heads
}

/** The sizes in the `config.json` of a llama, mistral or qwen2 model. */
export const decodeLlama = (
  json: Json,
): Result.Result<
  HuggingFaceConfiguration,
  DifferentField | Schema.SchemaError | InvalidModelConfig
> =>
  Result.gen(function* () {
    const { model_type: type = "llama" } = json
    const modelType = type === "mistral" || type === "qwen2" ? type : "llama"
    const theirs = yield* decode(json)
    yield* requireArchitecture(json, [architectures[modelType]])
    yield* requireFields(json, supported)
    const odd = theirs.layer_types?.find((kind) => !layerTypes.includes(kind))
    if (odd !== undefined) yield* different("layer_types", layerTypes.join(" or "), odd)
    yield* requireRopeKeys(json, "rope_parameters")
    yield* requireRopeKeys(json, "rope_scaling")
    const ropeScaling =
      (yield* decodeRope("rope_parameters", theirs.rope_parameters ?? {})) ??
      (yield* decodeRope("rope_scaling", theirs.rope_scaling ?? {}))
    const window = windowOf(modelType, theirs)
    const ropeTheta = theirs.rope_parameters?.rope_theta ?? theirs.rope_scaling?.rope_theta
    const context = theirs.max_position_embeddings ?? defaults[modelType].context
    const config = yield* makeLlamaConfig({
      dimension: theirs.hidden_size,
      hiddenDimension: theirs.intermediate_size,
      layers: theirs.num_hidden_layers,
      heads: theirs.num_attention_heads,
      keyValueHeads: keyValueHeadsOf(modelType, theirs),
      vocabularySize: theirs.vocab_size,
      contextLength: Math.min(context, window ?? context),
      tiedEmbeddings: theirs.tie_word_embeddings ?? false,
      ropeTheta: ropeTheta ?? theirs.rope_theta ?? 10000,
      normEpsilon: theirs.rms_norm_eps ?? 1e-6,
      ...(typeof theirs.head_dim === "number" &&
      theirs.head_dim * theirs.num_attention_heads !== theirs.hidden_size
        ? { headDimension: theirs.head_dim }
        : {}),
      ...(modelType === "qwen2" ? { attentionBias: true } : {}),
      ...(window === undefined ? {} : { slidingWindow: window }),
      ...(ropeScaling === undefined ? {} : { ropeScaling }),
    })
    return { family: "llama", config } as const
  })

const encodeRope = (scaling: RopeScaling): Json =>
  scaling.kind === "linear"
    ? { rope_type: "linear", factor: scaling.factor }
    : {
        rope_type: "llama3",
        factor: scaling.factor,
        low_freq_factor: scaling.lowFrequencyFactor,
        high_freq_factor: scaling.highFrequencyFactor,
        original_max_position_embeddings: scaling.originalContextLength,
      }

const modelTypeOf = ({ attentionBias = false, slidingWindow }: LlamaConfig) =>
  attentionBias ? "qwen2" : slidingWindow === undefined ? "llama" : "mistral"

/** The fields of `config.json` for a LLaMA-style model. */
export const encodeLlama = (config: LlamaConfig): Json => {
  const modelType = modelTypeOf(config)
  const { slidingWindow, ropeScaling } = config
  return {
    architectures: [architectures[modelType]],
    model_type: modelType,
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
    ...(ropeScaling === undefined ? {} : { rope_scaling: encodeRope(ropeScaling) }),
    rms_norm_eps: config.normEpsilon,
    hidden_act: "silu",
    ...(modelType === "llama" ? { attention_bias: false, mlp_bias: false } : {}),
    ...(modelType === "mistral" ? { sliding_window: slidingWindow } : {}),
    ...(modelType === "qwen2" && slidingWindow !== undefined
      ? { use_sliding_window: true, sliding_window: slidingWindow, max_window_layers: 0 }
      : {}),
  }
}
