import { HostArray } from "@espalier/tensor"
import { Result } from "effect"
import { decodeFloats } from "../stored_dtype.ts"
import { dequantizeBlocks } from "./dequantize_blocks.ts"
import type { GgufTensor } from "./gguf.ts"
import { quantizeBlocks } from "./quantize_blocks.ts"
import type { GgufTensorType } from "./tensor_types.ts"
import { hasWholeBlocks, isBlockType } from "./tensor_types.ts"
import type { UnstorableWeight } from "./unstorable_weight.ts"
import { storeFloats } from "./unstorable_weight.ts"

const floatsOf = ({ data }: HostArray.HostArray): Float32Array =>
  data instanceof Float32Array ? data : Float32Array.from(data)

/**
 * A tensor in one of GGUF's types: rounded to the nearest numbers (F16 and BF16, ties to even), or
 * quantised by ggml's reference rules, to the same bytes. `name` is for the message.
 *
 * Fails with {@link UnstorableWeight} where a weight of an F16 tensor or a scale of a quantised one is
 * too large for half precision or not finite. Throws a `RangeError` where the rows of the tensor are no
 * multiple of 32 and the type has blocks.
 *
 * @example
 * ```ts
 * const weight = HostArray.make([1, 32], new Float32Array(32).fill(0.5))
 * const tensor = Result.getOrThrow(encodeGgufTensor("blk.0.ffn_up.weight", weight, "Q4_0"))
 * tensor.bytes.length // 18
 * ```
 */
export const encodeGgufTensor = (
  name: string,
  array: HostArray.HostArray,
  type: GgufTensorType,
): Result.Result<GgufTensor, UnstorableWeight> => {
  const { shape } = array
  if (!hasWholeBlocks(type, shape)) {
    throw new RangeError(`rows of ${name} [${shape.join(", ")}] are no whole blocks of ${type}`)
  }
  const values = floatsOf(array)
  if (isBlockType(type)) {
    return Result.map(quantizeBlocks(name, type, values), (bytes) => ({ type, shape, bytes }))
  }
  const stored = storeFloats(name, type, "weight", values)
  return Result.map(stored, (bytes) => ({ type, shape, bytes }))
}

/**
 * A tensor of a GGUF file as `f32`: exactly its numbers, or what its blocks stand for.
 *
 * @example
 * ```ts
 * const weight = HostArray.make([1, 32], new Float32Array(32).fill(0.5))
 * const tensor = Result.getOrThrow(encodeGgufTensor("blk.0.ffn_up.weight", weight, "F16"))
 * decodeGgufTensor(tensor).data[0] // 0.5
 * ```
 */
export const decodeGgufTensor = ({ type, shape, bytes }: GgufTensor): HostArray.HostArray => {
  if (isBlockType(type)) return HostArray.make(shape, dequantizeBlocks(type, bytes))
  const values = new Float32Array(shape.reduce((product, extent) => product * extent, 1))
  decodeFloats(type, bytes, values)
  return HostArray.make(shape, values)
}
