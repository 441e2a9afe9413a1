import { HostArray } from "@espalier/tensor"
import { Result } from "effect"
import { bytesOfArray, readFloats } from "./bytes.ts"
import { CheckpointFormatError } from "./checkpoint_format_error.ts"
import type { LlamaConfig } from "./llama_config.ts"
import { InvalidModelConfig } from "./invalid_model_config.ts"
import { headDimension, validateLlamaConfig } from "./llama_config.ts"
import type { LlamaBlockParameters, LlamaParameters } from "./llama_parameters.ts"
import { llamaParameterShapes } from "./llama_parameters.ts"

/** How a checkpoint was stored. `groupSize` is there for the int8 format, version 2. */
export interface Llama2cFormat {
  readonly version: 0 | 1 | 2
  readonly groupSize?: number
}

/** A checkpoint in memory, every weight as `f32`. */
export interface Llama2cCheckpoint {
  readonly config: LlamaConfig
  readonly parameters: LlamaParameters<HostArray.HostArray>
  readonly format: Llama2cFormat
}

type BlockField = Exclude<
  keyof LlamaBlockParameters<unknown>,
  "queryBias" | "keyBias" | "valueBias"
>
type Field = BlockField | "embedding" | "norm" | "head"
type Section = Field | "rotary"

// The order of the sections in a file. A block's section holds that tensor of every layer in turn.
const version0: ReadonlyArray<Section> = [
  "embedding",
  "attentionNorm",
  "query",
  "key",
  "value",
  "output",
  "feedForwardNorm",
  "gate",
  "down",
  "up",
  "norm",
  "rotary",
  "head",
]
const version1: ReadonlyArray<Section> = [
  "attentionNorm",
  "feedForwardNorm",
  "norm",
  "embedding",
  "query",
  "key",
  "value",
  "output",
  "gate",
  "down",
  "up",
  "head",
]
const norms: ReadonlySet<Section> = new Set(["attentionNorm", "feedForwardNorm", "norm"])

const magic = 0x616b3432
const version0Header = 28
const versionedHeader = 256

interface Piece {
  readonly section: Section
  readonly layer: number
  readonly shape: ReadonlyArray<number>
  readonly size: number
  readonly offset: number
}

const bytesOf = (size: number, groupSize: number | undefined): number =>
  groupSize === undefined ? size * 4 : size + (size / groupSize) * 4

/** Where each tensor lies in the file, and the length that the file must have. */
const layOut = (config: LlamaConfig, format: Llama2cFormat) => {
  const shapes = llamaParameterShapes(config)
  const pieces: Array<Piece> = []
  let offset = format.version === 0 ? version0Header : versionedHeader
  for (const section of format.version === 0 ? version0 : version1) {
    const place = (shape: ReadonlyArray<number>, layer: number) => {
      const size = shape.reduce((product, extent) => product * extent, 1)
      pieces.push({ section, layer, shape, size, offset })
      offset += bytesOf(size, norms.has(section) ? undefined : format.groupSize)
    }
    if (section === "rotary") {
      place([config.contextLength, headDimension(config)], 0)
    } else if (section === "embedding" || section === "norm" || section === "head") {
      const shape = shapes[section]
      if (shape !== undefined) place(shape, 0)
    } else {
      // Sizes in a foreign file can be absurd, so that layers are walked only once the length fits.
      for (let layer = 0; layer < config.layers; layer++) place(shapes.blocks[0][section], layer)
    }
  }
  return { pieces, length: offset }
}

/** The length of the file without walking its layers. */
const expectedLength = (config: LlamaConfig, format: Llama2cFormat): number => {
  const of = (layers: number) => layOut({ ...config, layers }, format).length
  const one = of(1)
  return one + (of(2) - one) * (config.layers - 1)
}

interface Header {
  readonly config: LlamaConfig
  readonly format: Llama2cFormat
}

const foreign = (path: string, found: string): CheckpointFormatError =>
  new CheckpointFormatError({
    path,
    expected: "a llama2.c checkpoint (version 0, 1 or 2)",
    found,
    hint: "Is this another kind of file, such as a tokenizer or a safetensors file?",
  })

const readHeader = (
  bytes: Uint8Array,
  path: string,
): Result.Result<Header, CheckpointFormatError> => {
  if (bytes.length < version0Header) {
    return Result.fail(
      new CheckpointFormatError({
        path,
        expected: `a llama2.c checkpoint, whose header alone takes ${version0Header} bytes`,
        found: `${bytes.length} bytes`,
        hint: "The file is truncated; fetch or export it again.",
      }),
    )
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const versioned = view.getUint32(0, true) === magic
  const version = versioned ? view.getInt32(4, true) : 0
  if (versioned && version !== 1 && version !== 2) {
    return Result.fail(foreign(path, `version ${version}`))
  }
  if (versioned && bytes.length < versionedHeader) {
    return Result.fail(
      new CheckpointFormatError({
        path,
        expected: `a version ${version} checkpoint, whose header alone takes ${versionedHeader} bytes`,
        found: `${bytes.length} bytes`,
        hint: "The file is truncated; fetch or export it again.",
      }),
    )
  }
  const integer = (index: number) => view.getInt32((versioned ? 8 : 0) + index * 4, true)
  const shared = versioned ? view.getUint8(36) : integer(5) > 0 ? 1 : 0
  const sizes = {
    dimension: integer(0),
    hiddenDimension: integer(1),
    layers: integer(2),
    heads: integer(3),
    keyValueHeads: integer(4),
    vocabularySize: versioned ? integer(5) : Math.abs(integer(5)),
    contextLength: integer(6),
  }
  const validated = validateLlamaConfig({
    ...sizes,
    tiedEmbeddings: shared !== 0,
    ropeTheta: 10000,
    normEpsilon: 1e-5,
  })
  if (Result.isFailure(validated)) {
    const { field, found } = validated.failure
    return Result.fail(foreign(path, `a header with ${field} ${found}`))
  }
  if (version !== 2) {
    return Result.succeed({ config: validated.success, format: { version: version === 1 ? 1 : 0 } })
  }
  const groupSize = view.getInt32(37, true)
  if (groupSize <= 0) return Result.fail(foreign(path, `a header with group size ${groupSize}`))
  return Result.succeed({ config: validated.success, format: { version: 2, groupSize } })
}

const readPiece = (
  bytes: Uint8Array,
  piece: Piece,
  groupSize: number | undefined,
): HostArray.HostArray => {
  const { offset, size, shape } = piece
  if (groupSize === undefined) return HostArray.make(shape, readFloats(bytes, offset, size))
  const codes = new Int8Array(bytes.buffer, bytes.byteOffset + offset, size)
  const scales = readFloats(bytes, offset + size, size / groupSize)
  const values = new Float32Array(size)
  for (let i = 0; i < size; i++) values[i] = codes[i] * scales[Math.floor(i / groupSize)]
  return HostArray.make(shape, values)
}

/**
 * Reads a llama2.c checkpoint: version 0 (fp32 without a magic number, a negative vocabulary means an
 * untied head), version 1 (fp32, magic "ak42") and version 2 (int8 in groups with one fp32 scale each,
 * dequantised to `f32` here: `value = code × scale`). `path` is only used in messages.
 *
 * Fails with {@link CheckpointFormatError} where the length is not exactly what the header announces.
 *
 * Format: `export.py` and `run.c` of karpathy/llama2.c.
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
 * const parameters = mapLlamaParameters(llamaParameterShapes(config), (shape) =>
 *   HostArray.make(shape, new Float32Array(shape.reduce((a, b) => a * b))),
 * )
 * const bytes = Result.getOrThrow(encodeLlama2c(config, parameters))
 * const checkpoint = Result.getOrThrow(decodeLlama2c(bytes, "model.bin"))
 * checkpoint.parameters.blocks[0].query.shape // [8, 8]
 * Result.isFailure(decodeLlama2c(bytes.subarray(1), "model.bin")) // true
 * ```
 */
export const decodeLlama2c = (
  bytes: Uint8Array,
  path: string,
): Result.Result<Llama2cCheckpoint, CheckpointFormatError> => {
  const header = readHeader(bytes, path)
  if (Result.isFailure(header)) return Result.fail(header.failure)
  const { config, format } = header.success
  const { groupSize } = format
  const ragged =
    groupSize === undefined
      ? undefined
      : layOut({ ...config, layers: 1 }, format).pieces.find(
          ({ section, size }) => !norms.has(section) && size % groupSize !== 0,
        )
  if (ragged !== undefined) {
    return Result.fail(
      new CheckpointFormatError({
        path,
        expected: `a group size that divides ${ragged.section} [${ragged.shape.join(", ")}]`,
        found: `groups of ${groupSize}`,
        hint: "Export the model with a group size that divides every tensor.",
      }),
    )
  }
  const length = expectedLength(config, format)
  if (bytes.length !== length) {
    const short = bytes.length < length
    const absurd = length > 64 * bytes.length
    return Result.fail(
      new CheckpointFormatError({
        path,
        expected: `${length} bytes (dimension ${config.dimension}, hidden ${config.hiddenDimension}, ${config.layers} layers, vocabulary ${config.vocabularySize}, context ${config.contextLength}, version ${format.version})`,
        found: `${bytes.length} bytes`,
        hint: absurd
          ? "This is hardly a llama2.c checkpoint: the sizes in its first bytes make no sense."
          : short
            ? `The file is truncated: ${length - bytes.length} bytes are missing; fetch or export it again.`
            : `There are ${bytes.length - length} bytes too many: another format, or damaged.`,
      }),
    )
  }
  const { pieces } = layOut(config, format)
  const found = new Map<Section, Array<HostArray.HostArray>>()
  for (const piece of pieces) {
    if (piece.section === "rotary") continue
    const tensors = found.get(piece.section) ?? []
    const groupSize = norms.has(piece.section) ? undefined : format.groupSize
    tensors.push(readPiece(bytes, piece, groupSize))
    found.set(piece.section, tensors)
  }
  const take = (section: Field, layer = 0) => found.get(section)![layer]
  const parameters: LlamaParameters<HostArray.HostArray> = {
    embedding: take("embedding"),
    blocks: Array.from({ length: config.layers }, (_, layer) => ({
      attentionNorm: take("attentionNorm", layer),
      query: take("query", layer),
      key: take("key", layer),
      value: take("value", layer),
      output: take("output", layer),
      feedForwardNorm: take("feedForwardNorm", layer),
      gate: take("gate", layer),
      up: take("up", layer),
      down: take("down", layer),
    })),
    norm: take("norm"),
    ...(config.tiedEmbeddings ? {} : { head: take("head") }),
  }
  return Result.succeed({ config, parameters, format })
}

/** The cosine and the sine table of rotary embeddings, [context, head/2] each, one after the other. */
const rotaryTables = (config: LlamaConfig): Float32Array => {
  const half = headDimension(config) / 2
  const tables = new Float32Array(config.contextLength * half * 2)
  const sines = config.contextLength * half
  for (let position = 0; position < config.contextLength; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * config.ropeTheta ** (-i / half)
      tables[position * half + i] = Math.cos(angle)
      tables[sines + position * half + i] = Math.sin(angle)
    }
  }
  return tables
}

/**
 * Writes a version 0 (fp32) llama2.c checkpoint. `decodeLlama2c` reads it back bit for bit.
 *
 * Fails with {@link InvalidModelConfig} where the sizes are wrong or where the format cannot say them:
 * it fixes `ropeTheta` at 10000 and `normEpsilon` at 1e-5, and knows none of the optional fields. Throws a `RangeError` where a tensor does
 * not have the shape that the configuration asks for.
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
 * const parameters = mapLlamaParameters(llamaParameterShapes(config), (shape) =>
 *   HostArray.make(shape, new Float32Array(shape.reduce((a, b) => a * b))),
 * )
 * const bytes = Result.getOrThrow(encodeLlama2c(config, parameters))
 * ```
 */
export const encodeLlama2c = (
  config: LlamaConfig,
  parameters: LlamaParameters<HostArray.HostArray>,
): Result.Result<Uint8Array, InvalidModelConfig> => {
  const validated = validateLlamaConfig(config)
  if (Result.isFailure(validated)) return Result.fail(validated.failure)
  for (const [field, fixed, found] of [
    ["ropeTheta", 10000, config.ropeTheta],
    ["normEpsilon", 1e-5, config.normEpsilon],
    ["headDimension", config.dimension / config.heads, headDimension(config)],
    ["attentionBias", false, config.attentionBias ?? false],
    ["slidingWindow", "none", config.slidingWindow ?? "none"],
    ["ropeScaling", "none", config.ropeScaling?.kind ?? "none"],
  ] as const) {
    if (found !== fixed) {
      return Result.fail(
        new InvalidModelConfig({
          field,
          expected: `${fixed}, which the llama2.c format takes for granted`,
          found: String(found),
          hint: "Write safetensors instead.",
        }),
      )
    }
  }
  const { pieces, length } = layOut(config, { version: 0 })
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  const { dimension, hiddenDimension, layers, heads, keyValueHeads, contextLength } = config
  const vocabulary = config.tiedEmbeddings ? config.vocabularySize : -config.vocabularySize
  for (const [i, value] of [
    dimension,
    hiddenDimension,
    layers,
    heads,
    keyValueHeads,
    vocabulary,
    contextLength,
  ].entries()) {
    view.setInt32(i * 4, value, true)
  }
  const leafOf = (section: Field, layer: number): HostArray.HostArray | undefined =>
    section === "embedding" || section === "norm" || section === "head"
      ? parameters[section]
      : parameters.blocks[layer]?.[section]
  for (const { section, layer, shape, offset } of pieces) {
    if (section === "rotary") {
      bytes.set(bytesOfArray(rotaryTables(config)), offset)
      continue
    }
    const leaf = leafOf(section, layer)
    if (leaf === undefined || leaf.shape.join() !== shape.join()) {
      throw new RangeError(
        `${section} of layer ${layer} has shape [${leaf?.shape.join(", ") ?? "none"}], not [${shape.join(", ")}]`,
      )
    }
    const values = leaf.data instanceof Float32Array ? leaf.data : Float32Array.from(leaf.data)
    bytes.set(bytesOfArray(values), offset)
  }
  return Result.succeed(bytes)
}
