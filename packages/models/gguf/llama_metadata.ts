import { Result } from "effect"
import { CheckpointFormatError } from "../checkpoint_format_error.ts"
import type { LlamaConfig } from "../llama_config.ts"
import { headDimension, makeLlamaConfig } from "../llama_config.ts"
import { rotaryFrequencies } from "../llama_rotary.ts"
import type { RopeScaling } from "../llama_rotary.ts"
import { GgufProblem, label, withoutProblems } from "./byte_reader.ts"
import { ggufName, rotaryFactorsName } from "./llama_names.ts"
import type { GgufMetadata, GgufValue } from "./metadata.ts"
import { integerOf } from "./metadata.ts"

const uint32 = (value: number): GgufValue => ({ type: "uint32", value })
const float32 = (value: number): GgufValue => ({ type: "float32", value })
const string = (value: string): GgufValue => ({ type: "string", value })

/** llama.cpp has Llama 3's factors in a tensor only; what they were made of stands here. */
const llama3Keys = {
  factor: "espalier.rope.llama3.factor",
  lowFrequencyFactor: "espalier.rope.llama3.low_frequency_factor",
  highFrequencyFactor: "espalier.rope.llama3.high_frequency_factor",
  originalContextLength: "espalier.rope.llama3.original_context_length",
} as const

const encodeScaling = (
  scaling: RopeScaling | undefined,
): ReadonlyArray<readonly [string, GgufValue]> => {
  if (scaling === undefined) return []
  if (scaling.kind === "linear") {
    return [
      ["llama.rope.scaling.type", string("linear")],
      ["llama.rope.scaling.factor", float32(scaling.factor)],
    ]
  }
  return Object.entries(llama3Keys).map(([field, key]) => [
    key,
    float32(scaling[field as keyof typeof llama3Keys]),
  ])
}

/** The sizes of a model under the keys of llama.cpp's architecture `llama`. */
export const encodeLlamaMetadata = (
  config: LlamaConfig,
): ReadonlyArray<readonly [string, GgufValue]> => {
  const width = headDimension(config)
  return [
    ["llama.context_length", uint32(config.contextLength)],
    ["llama.embedding_length", uint32(config.dimension)],
    ["llama.block_count", uint32(config.layers)],
    ["llama.feed_forward_length", uint32(config.hiddenDimension)],
    ["llama.attention.head_count", uint32(config.heads)],
    ["llama.attention.head_count_kv", uint32(config.keyValueHeads)],
    ["llama.attention.key_length", uint32(width)],
    ["llama.attention.value_length", uint32(width)],
    ["llama.attention.layer_norm_rms_epsilon", float32(config.normEpsilon)],
    ["llama.rope.dimension_count", uint32(width)],
    ["llama.rope.freq_base", float32(config.ropeTheta)],
    ...encodeScaling(config.ropeScaling),
    ["llama.vocab_size", uint32(config.vocabularySize)],
  ]
}

/** What {@link rotaryFactorsName} holds for Llama 3's scaling; `undefined` for any other. */
export const rotaryFactors = (config: LlamaConfig): Float32Array | undefined => {
  const { ropeTheta, ropeScaling } = config
  if (ropeScaling?.kind !== "llama3") return undefined
  const width = headDimension(config)
  const scaled = rotaryFrequencies(width, ropeTheta, ropeScaling)
  return Float32Array.from(rotaryFrequencies(width, ropeTheta), (plain, i) => plain / scaled[i])
}

/** The shortest decimal that f32 rounds to this number: 1e-5 and not 0.000009999999747. */
const shortest = (value: number): number => {
  for (let digits = 1; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits))
    if (Math.fround(candidate) === value) return candidate
  }
  return value
}

const convert = "Models that need it are not supported."
const incomplete = "Is this the file of another kind of model, or a part of one?"

const describe = (value: GgufValue | undefined): string =>
  value === undefined
    ? "no such key"
    : value.type === "array"
      ? `an array of ${value.of}`
      : `${value.type} ${label(String(value.value))}`

const reading = (metadata: GgufMetadata) => {
  const refuse = (key: string, expected: string): never => {
    throw new GgufProblem(`${key}, ${expected}`, describe(metadata.get(key)), incomplete)
  }
  const integer = (key: string, otherwise?: number): number => {
    const value = metadata.get(key)
    if (value === undefined && otherwise !== undefined) return otherwise
    return integerOf(value) ?? refuse(key, "a whole number")
  }
  const float = (key: string, otherwise?: number): number => {
    const value = metadata.get(key)
    if (value === undefined && otherwise !== undefined) return otherwise
    if (value?.type === "float32") return shortest(value.value)
    return value?.type === "float64" ? value.value : refuse(key, "a float32")
  }
  return { integer, float }
}
type Reading = ReturnType<typeof reading>

const decodeScaling = (
  metadata: GgufMetadata,
  { float }: Reading,
  hasFactors: boolean,
): RopeScaling | undefined => {
  const kind = metadata.get("llama.rope.scaling.type")
  const name = kind?.type === "string" ? kind.value : "none"
  if (name !== "none" && name !== "linear") {
    throw new GgufProblem("llama.rope.scaling.type none or linear", label(name), convert)
  }
  if (hasFactors) {
    if (!metadata.has(llama3Keys.factor)) {
      const expected = `${rotaryFactorsName} only beside ${llama3Keys.factor}`
      throw new GgufProblem(expected, "it alone", convert)
    }
    return {
      kind: "llama3",
      factor: float(llama3Keys.factor),
      lowFrequencyFactor: float(llama3Keys.lowFrequencyFactor),
      highFrequencyFactor: float(llama3Keys.highFrequencyFactor),
      originalContextLength: float(llama3Keys.originalContextLength),
    }
  }
  const older = float("llama.rope.scale_linear", 1)
  const factor = name === "linear" ? float("llama.rope.scaling.factor") : older
  return factor === 1 ? undefined : { kind: "linear", factor }
}

/** Fails where a number must be this one, if it is there. */
const requireSame = ({ integer }: Reading, key: string, expected: number): void => {
  const found = integer(key, expected)
  if (found !== expected) throw new GgufProblem(`${key} ${expected}`, String(found), convert)
}

/** What is known of the tensors before they are read. */
type Shapes = ReadonlyMap<string, { readonly shape: ReadonlyArray<number> }>

const readSizes = (metadata: GgufMetadata, tensors: Shapes): typeof LlamaConfig.Encoded => {
  const architecture = metadata.get("general.architecture")
  if (architecture?.type !== "string" || architecture.value !== "llama") {
    const hint = "Models of other architectures are not read."
    throw new GgufProblem("general.architecture llama", describe(architecture), hint)
  }
  const read = reading(metadata)
  const { integer, float } = read
  const layers = integer("llama.block_count")
  // Before anything is made that is as large as this number says.
  if (layers > tensors.size) {
    const expected = `at most ${tensors.size} in llama.block_count, as many as there are tensors`
    throw new GgufProblem(expected, String(layers), incomplete)
  }
  const dimension = integer("llama.embedding_length")
  const heads = integer("llama.attention.head_count")
  const width = integer("llama.attention.key_length", dimension / heads)
  requireSame(read, "llama.attention.value_length", width)
  requireSame(read, "llama.rope.dimension_count", width)
  requireSame(read, "llama.expert_count", 0)
  const scaling = decodeScaling(metadata, read, tensors.has(rotaryFactorsName))
  return {
    dimension,
    hiddenDimension: integer("llama.feed_forward_length"),
    layers,
    heads,
    keyValueHeads: integer("llama.attention.head_count_kv", heads),
    vocabularySize: tensors.get(ggufName("embedding"))?.shape[0] ?? integer("llama.vocab_size"),
    contextLength: integer("llama.context_length"),
    tiedEmbeddings: !tensors.has(ggufName("head")),
    ropeTheta: float("llama.rope.freq_base", 10000),
    normEpsilon: float("llama.attention.layer_norm_rms_epsilon"),
    ...(width === dimension / heads ? {} : { headDimension: width }),
    ...(tensors.has(ggufName("blocks.0.queryBias")) ? { attentionBias: true } : {}),
    ...(scaling === undefined ? {} : { ropeScaling: scaling }),
  }
}

/**
 * The sizes of a model from a file of llama.cpp's architecture `llama`. Of the tensors only their names
 * and shapes matter: whether there is a head, whether there are biases, how many tokens there are.
 *
 * Fails with {@link CheckpointFormatError} where a key is missing or asks for what is not supported:
 * experts, rotary embeddings of a part of a head, scaling other than linear, heads that differ.
 */
export const decodeLlamaMetadata = (
  metadata: GgufMetadata,
  tensors: Shapes,
  path: string,
): Result.Result<LlamaConfig, CheckpointFormatError> =>
  Result.flatMap(
    withoutProblems(path, () => readSizes(metadata, tensors)),
    (sizes) =>
      Result.mapError(makeLlamaConfig(sizes), ({ field, expected, found, hint }) => {
        const subject = `${field} to be ${expected}`
        return new CheckpointFormatError({ path, expected: subject, found, hint })
      }),
  )
