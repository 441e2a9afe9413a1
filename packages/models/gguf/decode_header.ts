import type { Result } from "effect"
import { bytesOfArray } from "../bytes.ts"
import type { CheckpointFormatError } from "../checkpoint_format_error.ts"
import type { ByteReader } from "./byte_reader.ts"
import {
  damaged,
  GgufProblem,
  label,
  makeByteReader,
  MoreBytesNeeded,
  truncated,
  withoutProblems,
} from "./byte_reader.ts"
import type { GgufArray, GgufMetadata, GgufValue, NumberType } from "./metadata.ts"
import { alignmentKey, alignUp, isNumberType, numberTypes } from "./metadata.ts"
import { readAlignment, typesByCode } from "./metadata.ts"
import type { GgufTensorType } from "./tensor_types.ts"
import { bytesOfTensor, describeType, hasWholeBlocks } from "./tensor_types.ts"
import { tensorTypes, tensorTypesByCode } from "./tensor_types.ts"

/** One tensor of a GGUF file and its place. */
export interface GgufTensorInfo {
  readonly name: string
  readonly type: GgufTensorType
  /** The rows last: a matrix is [outputs, inputs], which the file itself lists the other way round. */
  readonly shape: ReadonlyArray<number>
  /** Its bytes, counted from the beginning of the file. */
  readonly from: number
  readonly to: number
}

/** What stands before the data of a GGUF file. */
export interface GgufHeader {
  readonly metadata: GgufMetadata
  readonly tensors: ReadonlyMap<string, GgufTensorInfo>
  /** Where the data begin. */
  readonly dataStart: number
}

const magic = 0x46554747
/** What the format allows. */
const longestKey = 65535
const longestName = 64
const mostDimensions = 4
/** More than any model has; a JavaScript map holds no more than 2^24 entries. */
const mostEntries = 1_000_000
/** Arrays within arrays within arrays: nobody writes them, and a stack is finite. */
const deepestArray = 8

const readType = (reader: ByteReader, what: string) => {
  const code = reader.uint32(`the type of ${what}`)
  const type = typesByCode.get(code)
  if (type === undefined) {
    throw new GgufProblem(`a value type of ${what} from 0 to 12`, String(code), damaged)
  }
  return type
}

/** Copies numbers out of the file, however they lie in it. */
const readNumbers = (reader: ByteReader, type: NumberType, count: number, what: string) => {
  const { width, Values } = numberTypes[type]
  const bytes = reader.take(count * width, what)
  const values = new Values(count)
  bytesOfArray(values).set(bytes)
  return values
}

const readBool = (reader: ByteReader, what: string): boolean => {
  const [byte] = reader.take(1, what)
  if (byte > 1) throw new GgufProblem(`0 or 1 for ${what}`, String(byte), damaged)
  return byte === 1
}

const readArray = (reader: ByteReader, what: string, depth: number): GgufArray => {
  if (depth > deepestArray) {
    throw new GgufProblem(`${what} nested at most ${deepestArray} deep`, "more", damaged)
  }
  const of = readType(reader, what)
  const each = of === "string" ? 8 : of === "array" ? 12 : of === "bool" ? 1 : numberTypes[of].width
  const count = reader.count(each, `values of ${what}`)
  if (isNumberType(of)) {
    return { type: "array", of, values: readNumbers(reader, of, count, what) } as GgufArray
  }
  const read = <A>(readOne: () => A): ReadonlyArray<A> => {
    const values: Array<A> = []
    for (let i = 0; i < count; i++) values.push(readOne())
    return values
  }
  switch (of) {
    case "bool":
      return { type: "array", of, values: read(() => readBool(reader, what)) }
    case "string":
      return { type: "array", of, values: read(() => reader.text(what)) }
    case "array":
      return { type: "array", of, values: read(() => readArray(reader, what, depth + 1)) }
  }
}

const readValue = (reader: ByteReader, key: string): GgufValue => {
  const type = readType(reader, key)
  if (isNumberType(type)) {
    return { type, value: readNumbers(reader, type, 1, key)[0] } as GgufValue
  }
  switch (type) {
    case "bool":
      return { type, value: readBool(reader, key) }
    case "string":
      return { type, value: reader.text(key) }
    case "array":
      return readArray(reader, key, 1)
  }
}

const limitEntries = (count: number, what: string): number => {
  if (count > mostEntries) {
    throw new GgufProblem(`at most ${mostEntries} ${what}`, String(count), damaged)
  }
  return count
}

const readMetadata = (reader: ByteReader, count: number): GgufMetadata => {
  const metadata = new Map<string, GgufValue>()
  for (let i = 0; i < count; i++) {
    const key = reader.text(`the name of metadata value ${i}`, longestKey)
    const shown = label(key)
    if (metadata.has(key)) throw new GgufProblem("every key once", `${shown} twice`, damaged)
    metadata.set(key, readValue(reader, shown))
  }
  return metadata
}

const readShape = (reader: ByteReader, name: string): ReadonlyArray<number> => {
  const dimensions = reader.uint32(`the dimensions of ${name}`)
  if (dimensions > mostDimensions) {
    const expected = `at most ${mostDimensions} dimensions of ${name}`
    throw new GgufProblem(expected, String(dimensions), damaged)
  }
  const shape: Array<number> = []
  for (let i = 0; i < dimensions; i++) shape.unshift(Number(reader.uint64(`the shape of ${name}`)))
  const elements = shape.reduce((product, extent) => product * extent, 1)
  if (![...shape, elements].every(Number.isSafeInteger)) {
    throw new GgufProblem(`a shape of ${name} that can be`, `[${shape.join(", ")}]`, damaged)
  }
  return shape
}

/** A tensor whose place is still counted from the start of the data. */
const readTensor = (reader: ByteReader, i: number): GgufTensorInfo => {
  const name = reader.text(`the name of tensor ${i}`, longestName)
  const shown = label(name)
  const shape = readShape(reader, shown)
  const code = reader.uint32(`the type of ${shown}`)
  const type = tensorTypesByCode.get(code)
  if (type === undefined) {
    const known = Object.keys(tensorTypes).join(", ")
    const hint = "Other kinds are not read; convert the model to one of these."
    throw new GgufProblem(`${shown} in ${known}`, describeType(code), hint)
  }
  if (!hasWholeBlocks(type, shape)) {
    const expected = `rows of ${shown} to be whole blocks of ${tensorTypes[type].block} (${type})`
    throw new GgufProblem(expected, `[${shape.join(", ")}]`, damaged)
  }
  const from = Number(reader.uint64(`the place of ${shown}`))
  return { name, type, shape, from, to: from + bytesOfTensor(type, shape) }
}

/** Checks that every tensor has its own bytes within the file. */
const checkPlaces = (
  tensors: ReadonlyArray<GgufTensorInfo>,
  alignment: number,
  available: number,
): void => {
  let reached = 0
  let previous = ""
  for (const info of [...tensors].sort((a, b) => a.from - b.from || a.to - b.to)) {
    const { from, to } = info
    const name = label(info.name)
    if (from % alignment !== 0) {
      throw new GgufProblem(`${name} at a multiple of ${alignment}`, String(from), damaged)
    }
    if (to > available) {
      const expected = `${to} bytes of data, to the end of ${name}`
      throw new GgufProblem(expected, `${Math.max(0, available)} bytes`, truncated)
    }
    if (from < reached) {
      const expected = `${name} at byte ${reached} or later, where ${previous} ends`
      throw new GgufProblem(expected, `byte ${from}`, damaged)
    }
    if (to > from) [reached, previous] = [to, name]
  }
}

const readStart = (reader: ByteReader): void => {
  const start = reader.uint32("GGUF's first word")
  if (start !== magic) {
    const found = `first word 0x${start.toString(16).padStart(8, "0")}`
    throw new GgufProblem("a GGUF file", found, "This is another kind of file.")
  }
  const version = reader.uint32("the version")
  if (version !== 2 && version !== 3) {
    const swapped = version > 0 && version % 0x10000 === 0
    const found = swapped ? "a file for big-endian machines" : `version ${version}`
    throw new GgufProblem("GGUF version 2 or 3, little-endian", found, "Convert the file first.")
  }
}

/** Reads all that stands before the data; throws a `GgufProblem` or `MoreBytesNeeded`. */
const readHeader = (bytes: Uint8Array, size: number): GgufHeader => {
  const reader = makeByteReader(bytes, size)
  readStart(reader)
  // A tensor takes at least 24 bytes and a value 13.
  const tensorCount = limitEntries(reader.count(24, "tensors"), "tensors")
  const metadata = readMetadata(reader, limitEntries(reader.count(13, "values"), "values"))
  const relative: Array<GgufTensorInfo> = []
  for (let i = 0; i < tensorCount; i++) relative.push(readTensor(reader, i))
  const alignment = readAlignment(metadata)
  if (typeof alignment !== "number") {
    throw new GgufProblem(`${alignmentKey}, a uint32 multiple of 8`, alignment.found, damaged)
  }
  const dataStart = alignUp(reader.offset(), alignment)
  checkPlaces(relative, alignment, size - dataStart)
  const tensors = new Map<string, GgufTensorInfo>()
  for (const info of relative) {
    if (tensors.has(info.name)) {
      throw new GgufProblem("every tensor once", `${label(info.name)} twice`, damaged)
    }
    tensors.set(info.name, { ...info, from: info.from + dataStart, to: info.to + dataStart })
  }
  return { metadata, tensors, dataStart }
}

/**
 * Reads what stands before the data of a GGUF file of `size` bytes from its first bytes. Gives
 * `undefined` where these are too few; `path` is only used in messages.
 *
 * Fails with {@link CheckpointFormatError} where the file is none, is truncated, or contradicts itself.
 */
export const decodeGgufHeader = (
  bytes: Uint8Array,
  size: number,
  path: string,
): Result.Result<GgufHeader | undefined, CheckpointFormatError> =>
  withoutProblems(path, () => {
    try {
      return readHeader(bytes, size)
    } catch (error) {
      if (error instanceof MoreBytesNeeded) return undefined
      throw error
    }
  })
