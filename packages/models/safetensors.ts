import { HostArray } from "@espalier/tensor"
import { Result } from "effect"
import { CheckpointFormatError } from "./checkpoint_format_error.ts"
import {
  decodeHeader,
  decodeHeaderLength,
  encodeHeader,
  headerStart,
} from "./safetensors_header.ts"
import type { StoredDType } from "./stored_dtype.ts"
import { decodeFloats, encodeFloats, isStoredDType, storedDTypes } from "./stored_dtype.ts"

/** Named tensors and the free-form metadata of a safetensors file. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, HostArray.HostArray>
  readonly metadata: Readonly<Record<string, string>>
}

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
): Result.Result<Safetensors, CheckpointFormatError> =>
  Result.gen(function* () {
    const length = yield* decodeHeaderLength(bytes, bytes.length, path)
    const start = headerStart + length
    const text = bytes.subarray(headerStart, start)
    const { entries, metadata } = yield* decodeHeader(text, bytes.length - start, path)
    const tensors = new Map<string, HostArray.HostArray>()
    for (const { name, dtype, shape, from, to } of entries) {
      if (!isStoredDType(dtype)) {
        return yield* Result.fail(
          new CheckpointFormatError({
            path,
            expected: `${name} in ${storedDTypes.join(", ")}`,
            found: dtype,
            hint: "Convert the tensor to one of these before loading it.",
          }),
        )
      }
      const values = new Float32Array(shape.reduce((product, extent) => product * extent, 1))
      decodeFloats(dtype, bytes.subarray(start + from, start + to), values)
      tensors.set(name, HostArray.make(shape, values))
    }
    return { tensors, metadata }
  })

const floatsOf = ({ data }: HostArray.HostArray): Float32Array =>
  data instanceof Float32Array ? data : Float32Array.from(data)

/**
 * Writes a safetensors file: the tensors in the order of their names, after a header padded to a
 * multiple of 8 bytes. The same tensors and metadata give the same bytes. They are kept as F32 unless
 * another `dtype` is asked for, to whose nearest numbers (ties to even) they are then rounded.
 *
 * @example
 * ```ts
 * const bytes = encodeSafetensors(new Map([["w", HostArray.make([2], [1, 2])]]), { format: "pt" })
 * ```
 */
export const encodeSafetensors = (
  tensors: ReadonlyMap<string, HostArray.HostArray>,
  metadata: Readonly<Record<string, string>> = {},
  dtype: StoredDType = "F32",
): Uint8Array => {
  const sorted = [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))
  const header = encodeHeader(
    sorted.map(([name, { shape }]) => ({ name, dtype, shape })),
    metadata,
  )
  const width = dtype === "F32" ? 4 : 2
  const length = sorted.reduce((sum, [, { data }]) => sum + data.length * width, header.length)
  const bytes = new Uint8Array(length)
  bytes.set(header)
  let offset = header.length
  for (const [, tensor] of sorted) {
    const stored = encodeFloats(dtype, floatsOf(tensor))
    bytes.set(stored, offset)
    offset += stored.length
  }
  return bytes
}
