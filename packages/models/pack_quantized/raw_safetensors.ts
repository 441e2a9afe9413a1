import { Result } from "effect"
import type { CheckpointFormatError } from "../checkpoint_format_error.ts"
import {
  decodeHeader,
  decodeHeaderLength,
  encodeHeader,
  headerStart,
} from "../safetensors_header.ts"
import { bytesOfDType } from "../stored_dtype.ts"

/** A tensor of a safetensors file as the file keeps it. */
export interface RawTensor {
  /** As the file calls it: `F32`, `I32`, `I64` … */
  readonly dtype: string
  readonly shape: ReadonlyArray<number>
  /** Little-endian. */
  readonly bytes: Uint8Array
}

const widthOf = (dtype: string): number => bytesOfDType.get(dtype) ?? 0

/**
 * Writes a safetensors file with tensors of any dtype: wide numbers before narrow ones, so that all lie
 * at multiples of their width, and by name among equals. The same tensors give the same bytes.
 *
 * Throws a `RangeError` where a tensor's bytes do not fit its shape.
 *
 * @example
 * ```ts
 * const shape: RawTensor = {
 *   dtype: "I64", shape: [2], bytes: new Uint8Array(BigInt64Array.of(3n, 4n).buffer),
 * }
 * const bytes = encodeRawSafetensors(new Map([["w_shape", shape]]), { format: "pt" })
 * ```
 */
export const encodeRawSafetensors = (
  tensors: ReadonlyMap<string, RawTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array => {
  const sorted = [...tensors].sort(
    ([a, first], [b, second]) =>
      widthOf(second.dtype) - widthOf(first.dtype) || (a < b ? -1 : a > b ? 1 : 0),
  )
  for (const [name, { dtype, shape, bytes }] of sorted) {
    const expected = shape.reduce((product, extent) => product * extent, widthOf(dtype))
    if (widthOf(dtype) === 0) throw new RangeError(`${name} is in ${dtype}, which has no width`)
    if (bytes.length !== expected) {
      throw new RangeError(`${name} has ${bytes.length} bytes, not ${expected}`)
    }
  }
  const header = encodeHeader(
    sorted.map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
    metadata,
  )
  const length = sorted.reduce((sum, [, { bytes }]) => sum + bytes.length, header.length)
  const file = new Uint8Array(length)
  file.set(header)
  let at = header.length
  for (const [, { bytes }] of sorted) {
    file.set(bytes, at)
    at += bytes.length
  }
  return file
}

/**
 * Reads a safetensors file without changing its numbers: tensors of any dtype, whose bytes are those of
 * the file. `path` is only used in messages.
 *
 * Fails with {@link CheckpointFormatError} as `decodeSafetensors` does.
 *
 * @example
 * ```ts
 * const tensors = new Map([["w", { dtype: "U8", shape: [2], bytes: Uint8Array.of(1, 2) }]])
 * const back = Result.getOrThrow(decodeRawSafetensors(encodeRawSafetensors(tensors), "w.safetensors"))
 * back.get("w")?.bytes // 1, 2
 * ```
 */
export const decodeRawSafetensors = (
  bytes: Uint8Array,
  path: string,
): Result.Result<ReadonlyMap<string, RawTensor>, CheckpointFormatError> =>
  Result.gen(function* () {
    const length = yield* decodeHeaderLength(bytes, bytes.length, path)
    const start = headerStart + length
    const text = bytes.subarray(headerStart, start)
    const { entries } = yield* decodeHeader(text, bytes.length - start, path)
    return new Map(
      entries.map(({ name, dtype, shape, from, to }) => [
        name,
        { dtype, shape, bytes: bytes.subarray(start + from, start + to) },
      ]),
    )
  })
