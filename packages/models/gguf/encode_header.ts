import { bytesOfArray, encodeUtf8 } from "../bytes.ts"
import type { GgufArray, GgufMetadata, GgufValue } from "./metadata.ts"
import { alignUp, isNumberType, numberTypes, otherTypes, readAlignment } from "./metadata.ts"
import type { GgufTensorType } from "./tensor_types.ts"
import { bytesOfTensor, hasWholeBlocks, tensorTypes } from "./tensor_types.ts"

/** What a file says of a tensor. */
export interface GgufTensorSpec {
  readonly name: string
  readonly type: GgufTensorType
  /** The rows last: a matrix is [outputs, inputs]. */
  readonly shape: ReadonlyArray<number>
}

/** The start of a GGUF file, and where each tensor lies in it. */
export interface EncodedGgufHeader {
  /** Up to the data, padding included. */
  readonly bytes: Uint8Array
  /** For each tensor its first byte, counted from the beginning of the file. */
  readonly places: ReadonlyArray<number>
  /** Bytes of the whole file; the data of each tensor are padded to the alignment. */
  readonly length: number
}

/** What llama.cpp takes; the format allows one byte more. */
const longestName = 63
const longestKey = 65535
const mostDimensions = 4

const word = (value: number): Uint8Array => bytesOfArray(Uint32Array.of(value))
const long = (value: number): Uint8Array => bytesOfArray(BigUint64Array.of(BigInt(value)))

const pushText = (chunks: Array<Uint8Array>, text: string): void => {
  const bytes = encodeUtf8(text)
  chunks.push(long(bytes.length), bytes)
}

const codeOf = (type: GgufValue["type"]): number =>
  isNumberType(type) ? numberTypes[type].code : otherTypes[type]

const pushArray = (chunks: Array<Uint8Array>, array: GgufArray): void => {
  chunks.push(word(codeOf(array.of)), long(array.values.length))
  switch (array.of) {
    case "bool":
      chunks.push(Uint8Array.from(array.values, Number))
      return
    case "string":
      for (const text of array.values) pushText(chunks, text)
      return
    case "array":
      for (const inner of array.values) pushArray(chunks, inner)
      return
    default:
      chunks.push(bytesOfArray(array.values))
  }
}

const pushValue = (chunks: Array<Uint8Array>, key: string, value: GgufValue): void => {
  chunks.push(word(codeOf(value.type)))
  switch (value.type) {
    case "bool":
      chunks.push(Uint8Array.of(Number(value.value)))
      return
    case "string":
      pushText(chunks, value.value)
      return
    case "array":
      pushArray(chunks, value)
      return
    case "uint64":
    case "int64": {
      const kept = numberTypes[value.type].Values.of(value.value)
      if (kept[0] !== value.value) throw new RangeError(`${key} ${value.value} is no ${value.type}`)
      chunks.push(bytesOfArray(kept))
      return
    }
    default: {
      const kept = numberTypes[value.type].Values.of(value.value)
      const isFloat = value.type === "float32" || value.type === "float64"
      if (!isFloat && kept[0] !== value.value) {
        throw new RangeError(`${key} ${value.value} is no ${value.type}`)
      }
      chunks.push(bytesOfArray(kept))
    }
  }
}

const checkTensor = ({ name, type, shape }: GgufTensorSpec): void => {
  const bytes = encodeUtf8(name).length
  if (bytes > longestName) {
    throw new RangeError(`${name} has ${bytes} bytes; names of tensors have at most ${longestName}`)
  }
  if (shape.length > mostDimensions) {
    throw new RangeError(`${name} has ${shape.length} dimensions, more than ${mostDimensions}`)
  }
  if (!hasWholeBlocks(type, shape)) {
    throw new RangeError(`rows of ${name} [${shape.join(", ")}] are no whole blocks of ${type}`)
  }
}

/**
 * Lays out a GGUF file (version 3, little-endian): its start, and where the tensors go, in their order
 * and at multiples of `general.alignment` (32 where the metadata do not have it). For files that are
 * written piece by piece; `encodeGguf` makes one in memory.
 *
 * Throws a `RangeError` where something cannot be said in the format: a name twice or too long, rows
 * that are no whole blocks, a number outside its type.
 */
export const encodeGgufHeader = (
  metadata: GgufMetadata,
  tensors: ReadonlyArray<GgufTensorSpec>,
): EncodedGgufHeader => {
  const alignment = readAlignment(metadata)
  if (typeof alignment !== "number") {
    throw new RangeError(`an alignment is a uint32 multiple of 8, not ${alignment.found}`)
  }
  const chunks = [encodeUtf8("GGUF"), word(3), long(tensors.length), long(metadata.size)]
  for (const [key, value] of metadata) {
    if (encodeUtf8(key).length > longestKey) throw new RangeError("a key has at most 65535 bytes")
    pushText(chunks, key)
    pushValue(chunks, key, value)
  }
  const offsets: Array<number> = []
  const names = new Set<string>()
  let reached = 0
  for (const tensor of tensors) {
    const { name, type, shape } = tensor
    checkTensor(tensor)
    if (names.has(name)) throw new RangeError(`two tensors are called ${name}`)
    names.add(name)
    pushText(chunks, name)
    chunks.push(word(shape.length), ...shape.toReversed().map(long))
    chunks.push(word(tensorTypes[type].code), long(reached))
    offsets.push(reached)
    reached = alignUp(reached + bytesOfTensor(type, shape), alignment)
  }
  const end = chunks.reduce((sum, { length }) => sum + length, 0)
  const bytes = new Uint8Array(alignUp(end, alignment))
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return {
    bytes,
    places: offsets.map((offset) => bytes.length + offset),
    length: bytes.length + reached,
  }
}
