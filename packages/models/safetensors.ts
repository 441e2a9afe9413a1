import { HostArray } from "@espalier/tensor"
import { Result, Schema } from "effect"
import { bytesOfArray, decodeStrictUtf8, encodeUtf8, readFloats } from "./bytes.ts"
import { CheckpointFormatError } from "./checkpoint_format_error.ts"
import { floatOfBrain, floatOfHalf } from "./float16.ts"
import { findRepeatedKey } from "./json_keys.ts"

/** Named tensors and the free-form metadata of a safetensors file. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, HostArray.HostArray>
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
const decodeHeader = Schema.decodeUnknownResult(
  Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown)),
)

const halves = (bytes: Uint8Array, count: number, convert: (bits: number) => number) => {
  const values = new Float32Array(count)
  for (let i = 0; i < count; i++) values[i] = convert(bytes[2 * i] | (bytes[2 * i + 1] << 8))
  return values
}

interface Encoding {
  readonly bytes: number
  readonly read: (
    bytes: Uint8Array,
    shape: ReadonlyArray<number>,
    count: number,
  ) => HostArray.HostArray
}

const encodings: ReadonlyMap<string, Encoding> = new Map<string, Encoding>([
  ["F32", { bytes: 4, read: (bytes, shape, n) => HostArray.make(shape, readFloats(bytes, 0, n)) }],
  [
    "F16",
    { bytes: 2, read: (bytes, shape, n) => HostArray.make(shape, halves(bytes, n, floatOfHalf)) },
  ],
  [
    "BF16",
    { bytes: 2, read: (bytes, shape, n) => HostArray.make(shape, halves(bytes, n, floatOfBrain)) },
  ],
])

// What the format's own reader allows.
const longestHeader = 100_000_000

/**
 * Reads a safetensors file. F32, F16 and BF16 come as `f32`, exactly. `path` is only used in messages.
 *
 * Fails with {@link CheckpointFormatError} where the file is cut off or longer than its header says,
 * where the header is no JSON object or names a tensor twice, where a tensor's bytes do not fit its
 * shape, overlap another's, leave a hole or lie outside the file, and where a dtype is another one.
 *
 * Format: the specification in the README of huggingface/safetensors.
 *
 * @example
 * ```ts
 * const bytes = encodeSafetensors(new Map([["w", HostArray.make([2], [1, 2])]]))
 * const { tensors } = Result.getOrThrow(decodeSafetensors(bytes, "model.safetensors"))
 * tensors.get("w")?.data // 1, 2
 * ```
 */
export const decodeSafetensors = (
  bytes: Uint8Array,
  path: string,
): Result.Result<Safetensors, CheckpointFormatError> => {
  const fail = (expected: string, found: string, hint: string) =>
    Result.fail(new CheckpointFormatError({ path, expected, found, hint }))
  const truncated = "The file is truncated; fetch or export it again."
  const foreign = "This is not a safetensors file."
  const damaged = "The file is damaged; fetch or export it again."
  if (bytes.length < 8) {
    return fail("a safetensors file of at least 8 bytes", `${bytes.length} bytes`, truncated)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const announced = view.getBigUint64(0, true)
  if (announced > BigInt(longestHeader) || bytes[8] !== 0x7b) {
    if (bytes.length === 8 && announced <= BigInt(longestHeader)) {
      return fail(`a header of ${announced} bytes`, "the end of the file", truncated)
    }
    return fail(
      `a safetensors header (JSON, at most ${longestHeader} bytes)`,
      announced > BigInt(longestHeader) ? `a length of ${announced}` : `byte ${bytes[8]} first`,
      foreign,
    )
  }
  const dataStart = 8 + Number(announced)
  if (dataStart > bytes.length) {
    return fail(
      `a header of ${announced} bytes`,
      `${bytes.length - 8} bytes after its length`,
      truncated,
    )
  }
  const text = decodeStrictUtf8(bytes.subarray(8, dataStart))
  if (text === undefined) return fail("a header in UTF-8", "other bytes", damaged)
  const header = decodeHeader(text)
  if (Result.isFailure(header))
    return fail("a header that is a JSON object", "something else", damaged)
  const repeated = findRepeatedKey(text)
  if (repeated !== undefined) return fail("every tensor once", `${repeated} twice`, damaged)

  const { __metadata__: rawMetadata = {}, ...rawEntries } = header.success
  const metadata = decodeMetadata(rawMetadata)
  if (Result.isFailure(metadata)) {
    return fail("__metadata__ from names to strings", JSON.stringify(rawMetadata), damaged)
  }
  const entries: Array<{
    name: string
    encoding: Encoding
    entry: typeof Entry.Type
    count: number
  }> = []
  for (const [name, raw] of Object.entries(rawEntries)) {
    const decoded = decodeEntry(raw)
    if (Result.isFailure(decoded)) {
      return fail(`dtype, shape and data_offsets of ${name}`, JSON.stringify(raw), damaged)
    }
    const entry = decoded.success
    const encoding = encodings.get(entry.dtype)
    if (encoding === undefined) {
      return fail(
        `${name} in ${[...encodings.keys()].join(", ")}`,
        entry.dtype,
        "Convert the tensor to one of these before loading it.",
      )
    }
    const count = entry.shape.reduce((product, extent) => product * extent, 1)
    const [from, to] = entry.data_offsets
    if (to - from !== count * encoding.bytes) {
      return fail(
        `${count * encoding.bytes} bytes of ${name} [${entry.shape.join(", ")}] ${entry.dtype}`,
        `${to - from} bytes (${from} to ${to})`,
        damaged,
      )
    }
    entries.push({ name, encoding, entry, count })
  }
  entries.sort(
    (a, b) =>
      a.entry.data_offsets[0] - b.entry.data_offsets[0] ||
      a.entry.data_offsets[1] - b.entry.data_offsets[1],
  )
  const available = bytes.length - dataStart
  let reached = 0
  for (const { name, entry } of entries) {
    const [from, to] = entry.data_offsets
    if (from !== reached) {
      return fail(
        `${name} to begin at ${reached}, where the tensor before it ends`,
        `${from}, ${from < reached ? "inside that tensor" : "after a hole"}`,
        damaged,
      )
    }
    if (to > available) {
      return fail(`${to} bytes of data, to the end of ${name}`, `${available} bytes`, truncated)
    }
    reached = to
  }
  if (reached !== available) {
    return fail(`${reached} bytes of data`, `${available} bytes`, "Bytes follow the last tensor.")
  }
  const tensors = new Map<string, HostArray.HostArray>()
  for (const { name, encoding, entry, count } of entries) {
    const [from, to] = entry.data_offsets
    const data = bytes.subarray(dataStart + from, dataStart + to)
    tensors.set(name, encoding.read(data, entry.shape, count))
  }
  return Result.succeed({ tensors, metadata: metadata.success })
}

/**
 * Writes a safetensors file: every tensor as F32, in the order of their names, after a header padded to
 * a multiple of 8 bytes. The same tensors and metadata give the same bytes.
 *
 * @example
 * ```ts
 * const bytes = encodeSafetensors(new Map([["w", HostArray.make([2], [1, 2])]]), { format: "pt" })
 * ```
 */
export const encodeSafetensors = (
  tensors: ReadonlyMap<string, HostArray.HostArray>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array => {
  const byName = <A>([a]: readonly [string, A], [b]: readonly [string, A]) => (a < b ? -1 : 1)
  const sorted = [...tensors].sort(byName)
  const remarks = Object.entries(metadata).sort(byName)
  let length = 0
  const entries = sorted.map(([name, { shape, data }]) => {
    if (name === "__metadata__") throw new RangeError("__metadata__ cannot be a tensor's name")
    const from = length
    length += data.length * 4
    return [name, { dtype: "F32", shape, data_offsets: [from, length] }] as const
  })
  // `fromEntries` defines keys: a tensor may be called `__proto__`.
  const header = Object.fromEntries<unknown>([
    ...(remarks.length === 0 ? [] : [["__metadata__", Object.fromEntries(remarks)] as const]),
    ...entries,
  ])
  const json = encodeUtf8(JSON.stringify(header))
  const padded = Math.ceil(json.length / 8) * 8
  const bytes = new Uint8Array(8 + padded + length)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true)
  bytes.set(json, 8)
  bytes.fill(0x20, 8 + json.length, 8 + padded)
  let offset = 8 + padded
  for (const [, { data }] of sorted) {
    const values = data instanceof Float32Array ? data : Float32Array.from(data)
    bytes.set(bytesOfArray(values), offset)
    offset += values.byteLength
  }
  return bytes
}
