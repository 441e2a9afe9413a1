import { Result } from "effect"
import type { CheckpointFormatError } from "../checkpoint_format_error.ts"
import { decodeGgufHeader } from "./decode_header.ts"
import { encodeGgufHeader } from "./encode_header.ts"
import type { GgufMetadata } from "./metadata.ts"
import type { GgufTensorType } from "./tensor_types.ts"
import { bytesOfTensor } from "./tensor_types.ts"

/** A tensor as a GGUF file keeps it. */
export interface GgufTensor {
  readonly type: GgufTensorType
  /** The rows last: a matrix is [outputs, inputs]. */
  readonly shape: ReadonlyArray<number>
  readonly bytes: Uint8Array
}

/** The metadata and the named tensors of a GGUF file. */
export interface Gguf {
  readonly metadata: GgufMetadata
  readonly tensors: ReadonlyMap<string, GgufTensor>
}

/**
 * Writes a GGUF file (version 3, little-endian), metadata and tensors in the order given. The same
 * contents give the same bytes.
 *
 * Throws a `RangeError` where something cannot be said in the format, such as a number outside its type.
 *
 * Format: `docs/gguf.md` of ggml.
 *
 * @example
 * ```ts
 * const weight = HostArray.make([1, 32], new Float32Array(32).fill(0.5))
 * const tensor = Result.getOrThrow(encodeGgufTensor("w", weight, "Q8_0"))
 * const bytes = encodeGguf({
 *   metadata: new Map([["general.name", { type: "string", value: "half" }]]),
 *   tensors: new Map([["w", tensor]]),
 * })
 * ```
 */
export const encodeGguf = ({ metadata, tensors }: Gguf): Uint8Array => {
  const specs = [...tensors].map(([name, { type, shape }]) => ({ name, type, shape }))
  const header = encodeGgufHeader(metadata, specs)
  const file = new Uint8Array(header.length)
  file.set(header.bytes)
  for (const [i, [name, { type, shape, bytes }]] of [...tensors].entries()) {
    const expected = bytesOfTensor(type, shape)
    if (bytes.length !== expected) {
      throw new RangeError(`${name} has ${bytes.length} bytes, not ${expected}`)
    }
    file.set(bytes, header.places[i])
  }
  return file
}

/**
 * Reads a GGUF file of version 2 or 3. The tensors' bytes are those of the file, not copies; see
 * `decodeGgufTensor`. `path` is only used in messages.
 *
 * Fails with {@link CheckpointFormatError} where the file is another one, is cut off, announces more
 * than it holds, has tensors in a type that is not known here, outside the file, over one another or
 * at no multiple of the alignment, or has a name twice.
 *
 * Format: `docs/gguf.md` of ggml.
 *
 * @example
 * ```ts
 * const bytes = encodeGguf({
 *   metadata: new Map([["general.name", { type: "string", value: "empty" }]]),
 *   tensors: new Map(),
 * })
 * const { metadata } = Result.getOrThrow(decodeGguf(bytes, "model.gguf"))
 * metadata.get("general.name") // { type: "string", value: "empty" }
 * ```
 */
export const decodeGguf = (
  bytes: Uint8Array,
  path: string,
): Result.Result<Gguf, CheckpointFormatError> =>
  Result.map(decodeGgufHeader(bytes, bytes.length, path), (header) => {
    const { metadata, tensors } = header!
    return {
      metadata,
      tensors: new Map(
        [...tensors].map(([name, { type, shape, from, to }]) => [
          name,
          { type, shape, bytes: bytes.subarray(from, to) },
        ]),
      ),
    }
  })
