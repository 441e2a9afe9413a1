import { Result, Schema } from "effect"
import { decodeStrictUtf8, encodeUtf8 } from "./bytes.ts"
import { CheckpointFormatError } from "./checkpoint_format_error.ts"
import { findRepeatedKey } from "./json_keys.ts"
import { bytesOfDType } from "./stored_dtype.ts"

/** One tensor of a safetensors file. */
export interface SafetensorsEntry {
  readonly name: string
  /** As the file calls it: `F32`, `BF16`, `I64` … */
  readonly dtype: string
  readonly shape: ReadonlyArray<number>
  /** Its bytes, counted from the end of the header. */
  readonly from: number
  readonly to: number
}

/** What stands before the data of a safetensors file. */
export interface SafetensorsHeader {
  /** In the order of their bytes. */
  readonly entries: ReadonlyArray<SafetensorsEntry>
  readonly metadata: Readonly<Record<string, string>>
}

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Entry = Schema.Struct({
  dtype: Schema.String,
  shape: Schema.Array(Natural),
  data_offsets: Schema.Tuple([Natural, Natural]),
})
const decodeEntry = Schema.decodeUnknownResult(Entry)
const decodeMetadata = Schema.decodeUnknownResult(Schema.Record(Schema.String, Schema.String))
const decodeJson = Schema.decodeUnknownResult(
  Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown)),
)

// What the format's own reader allows.
const longestHeader = 100_000_000

/** Bytes before the header: its length as u64. */
export const headerStart = 8

const truncated = "The file is truncated; fetch or export it again."
const foreign = "This is not a safetensors file."
const damaged = "The file is damaged; fetch or export it again."

const failing = (path: string) => (expected: string, found: string, hint: string) =>
  Result.fail(new CheckpointFormatError({ path, expected, found, hint }))

/** The length of the header from the first 8 bytes of a file of `size` bytes. */
export const decodeHeaderLength = (
  start: Uint8Array,
  size: number,
  path: string,
): Result.Result<number, CheckpointFormatError> => {
  const fail = failing(path)
  if (size < headerStart || start.length < headerStart) {
    return fail("a safetensors file of at least 8 bytes", `${size} bytes`, truncated)
  }
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength)
  const announced = view.getBigUint64(0, true)
  if (announced > BigInt(longestHeader)) {
    const expected = `a safetensors header (JSON, at most ${longestHeader} bytes)`
    return fail(expected, `a length of ${announced}`, foreign)
  }
  if (headerStart + Number(announced) > size) {
    const found = `${size - headerStart} bytes after its length`
    return fail(`a header of ${announced} bytes`, found, truncated)
  }
  return Result.succeed(Number(announced))
}

const decodeEntries = (
  raw: Readonly<Record<string, unknown>>,
  path: string,
): Result.Result<ReadonlyArray<SafetensorsEntry>, CheckpointFormatError> => {
  const fail = failing(path)
  const entries: Array<SafetensorsEntry> = []
  for (const [name, value] of Object.entries(raw)) {
    const decoded = decodeEntry(value)
    if (Result.isFailure(decoded)) {
      return fail(`dtype, shape and data_offsets of ${name}`, JSON.stringify(value), damaged)
    }
    const { dtype, shape, data_offsets: offsets } = decoded.success
    const width = bytesOfDType.get(dtype)
    if (width === undefined) {
      const known = [...bytesOfDType.keys()].join(", ")
      return fail(`${name} in ${known}`, dtype, "Convert the tensor to one of these.")
    }
    const [from, to] = offsets
    const bytes = shape.reduce((product, extent) => product * extent, width)
    if (to - from !== bytes) {
      const expected = `${bytes} bytes of ${name} [${shape.join(", ")}] ${dtype}`
      return fail(expected, `${to - from} bytes (${from} to ${to})`, damaged)
    }
    entries.push({ name, dtype, shape, from, to })
  }
  return Result.succeed(entries.sort((a, b) => a.from - b.from || a.to - b.to))
}

/**
 * Reads the header of a file with `available` bytes of data after it. Allocates nothing for the data.
 *
 * Fails where the header is no JSON object or names a tensor twice, where a tensor's bytes do not fit
 * its shape, overlap another's, leave a hole or lie outside the file, and where a dtype is unknown.
 */
export const decodeHeader = (
  bytes: Uint8Array,
  available: number,
  path: string,
): Result.Result<SafetensorsHeader, CheckpointFormatError> => {
  const fail = failing(path)
  if (bytes[0] !== 0x7b) {
    const found = bytes.length === 0 ? "nothing" : `byte ${bytes[0]} first`
    return fail("a safetensors header (JSON)", found, foreign)
  }
  const text = decodeStrictUtf8(bytes)
  if (text === undefined) return fail("a header in UTF-8", "other bytes", damaged)
  const header = decodeJson(text)
  if (Result.isFailure(header)) {
    return fail("a header that is a JSON object", "something else", damaged)
  }
  const repeated = findRepeatedKey(text)
  if (repeated !== undefined) return fail("every name once", `${repeated} twice`, damaged)
  const { __metadata__: rawMetadata = {}, ...rawEntries } = header.success
  const metadata = decodeMetadata(rawMetadata)
  if (Result.isFailure(metadata)) {
    return fail("__metadata__ from names to strings", JSON.stringify(rawMetadata), damaged)
  }
  const entries = decodeEntries(rawEntries, path)
  if (Result.isFailure(entries)) return Result.fail(entries.failure)
  let reached = 0
  for (const { name, from, to } of entries.success) {
    if (from !== reached) {
      const found = `${from}, ${from < reached ? "inside that tensor" : "after a hole"}`
      return fail(`${name} to begin at ${reached}, where the tensor before it ends`, found, damaged)
    }
    if (to > available) {
      return fail(`${to} bytes of data, to the end of ${name}`, `${available} bytes`, truncated)
    }
    reached = to
  }
  if (reached !== available) {
    return fail(`${reached} bytes of data`, `${available} bytes`, "Bytes follow the last tensor.")
  }
  return Result.succeed({ entries: entries.success, metadata: metadata.success })
}

/**
 * The start of a safetensors file whose tensors follow in this order: length and header, padded to a
 * multiple of 8 bytes.
 */
export const encodeHeader = (
  tensors: ReadonlyArray<{
    readonly name: string
    readonly dtype: string
    readonly shape: ReadonlyArray<number>
  }>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array => {
  let reached = 0
  const entries = tensors.map(({ name, dtype, shape }) => {
    if (name === "__metadata__") throw new RangeError("__metadata__ cannot be a tensor's name")
    const from = reached
    reached += shape.reduce((product, extent) => product * extent, bytesOfDType.get(dtype)!)
    return [name, { dtype, shape, data_offsets: [from, reached] }] as const
  })
  const remarks = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))
  // `fromEntries` defines keys: a tensor may be called `__proto__`.
  const header = Object.fromEntries<unknown>([
    ...(remarks.length === 0 ? [] : [["__metadata__", Object.fromEntries(remarks)] as const]),
    ...entries,
  ])
  const json = encodeUtf8(JSON.stringify(header))
  const padded = Math.ceil(json.length / 8) * 8
  const bytes = new Uint8Array(headerStart + padded).fill(0x20)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true)
  bytes.set(json, headerStart)
  return bytes
}
