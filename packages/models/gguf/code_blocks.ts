import { Result } from "effect"
import { floatsOfHalves, halvesOfFloats } from "../float16.ts"
import type { QuantizedMatrix } from "../pack_quantized/quantized_matrix.ts"
import { checkQuantizedMatrix, staysWithin } from "../pack_quantized/quantized_matrix.ts"
import { splitBlocks } from "./dequantize_blocks.ts"
import type { GgufTensor } from "./gguf.ts"
import { joinBlocks } from "./quantize_blocks.ts"
import type { GgufBlockType } from "./tensor_types.ts"
import { blockSize } from "./tensor_types.ts"
import type { UnstorableWeight } from "./unstorable_weight.ts"

/**
 * The block types that take the codes of a matrix as they are, the smallest first; none where groups
 * are no multiple of 32.
 *
 * | type | takes |
 * |---|---|
 * | `Q4_0` | 2 and 3 bits; 4 bits where every zero point is 8 |
 * | `Q4_1` | 2, 3 and 4 bits |
 * | `Q8_0` | 2, 3 and 4 bits; 8 bits where every zero point is 128 |
 *
 * A group of 64 or 128 or a whole row becomes several blocks with the same scale. Scales are rounded to
 * half precision, and in `Q4_1` the product of scale and zero point is, too; codes are kept.
 *
 * @example
 * ```ts
 * ggufTypesFor({
 *   shape: [1, 32], bits: 4, groupSize: 32,
 *   codes: new Uint8Array(32), scales: Float32Array.of(1), zeroPoints: Uint8Array.of(8),
 * }) // ["Q4_0", "Q4_1", "Q8_0"]
 * ```
 */
export const ggufTypesFor = (matrix: QuantizedMatrix): ReadonlyArray<GgufBlockType> => {
  if (matrix.groupSize % blockSize !== 0) return []
  const types: Array<GgufBlockType> = []
  if (staysWithin(matrix, -8, 7)) types.push("Q4_0")
  if (matrix.bits <= 4) types.push("Q4_1")
  if (staysWithin(matrix, -128, 127)) types.push("Q8_0")
  return types
}

/** Numbers as half precision has them. */
const roundToHalves = (values: Float32Array): Float32Array => {
  const bits = new Uint16Array(values.length)
  halvesOfFloats(values, bits)
  const rounded = new Float32Array(values.length)
  floatsOfHalves(bits, rounded)
  return rounded
}

/** One number a block from one a group. */
const perBlock = (values: ArrayLike<number>, blocksPerGroup: number): Float32Array => {
  const length = values.length * blocksPerGroup
  return Float32Array.from({ length }, (_, block) => values[Math.floor(block / blocksPerGroup)])
}

/**
 * A tensor of blocks with the codes of a matrix; see {@link ggufTypesFor} for what fits where. `name`
 * is for the message.
 *
 * Fails with {@link UnstorableWeight} where a scale is too large for half precision or not finite.
 * Throws a `RangeError` where the type does not take the matrix.
 *
 * @example
 * ```ts
 * const matrix: QuantizedMatrix = {
 *   shape: [1, 32], bits: 4, groupSize: 32,
 *   codes: new Uint8Array(32).fill(9), scales: Float32Array.of(0.25), zeroPoints: Uint8Array.of(8),
 * }
 * const tensor = Result.getOrThrow(encodeGgufCodes("blk.0.ffn_up.weight", matrix, "Q4_0"))
 * decodeGgufTensor(tensor).data[0] // 0.25
 * ```
 */
export const encodeGgufCodes = (
  name: string,
  matrix: QuantizedMatrix,
  type: GgufBlockType,
): Result.Result<GgufTensor, UnstorableWeight> => {
  checkQuantizedMatrix(name, matrix)
  const fitting = ggufTypesFor(matrix)
  if (!fitting.includes(type)) {
    throw new RangeError(`${type} does not take ${name}; ${fitting.join(", ") || "no type"} does`)
  }
  const { shape, groupSize, codes, scales, zeroPoints } = matrix
  const middle = type === "Q4_0" ? 8 : 0
  const shifted =
    type === "Q4_1"
      ? codes
      : codes.map((code, i) => code - zeroPoints[Math.floor(i / groupSize)] + middle)
  const blocksPerGroup = groupSize / blockSize
  // From the scale that is read back, so that codes near the zero point are hardly moved.
  const minima = roundToHalves(scales).map((scale, group) => -scale * zeroPoints[group])
  const joined = joinBlocks(name, type, {
    scales: perBlock(scales, blocksPerGroup),
    ...(type === "Q4_1" ? { minima: perBlock(minima, blocksPerGroup) } : {}),
    codes: shifted,
  })
  return Result.map(joined, (bytes) => ({ type, shape, bytes }))
}

/**
 * The codes and scales of a tensor in blocks, in groups of 32: `Q4_0` gives 4 bits and `Q8_0` 8, both
 * symmetric. `undefined` for any other type: the minimum of a `Q4_1` block is no multiple of its scale.
 *
 * @example
 * ```ts
 * const weight = HostArray.make([1, 32], new Float32Array(32).fill(0.5))
 * const tensor = Result.getOrThrow(encodeGgufTensor("w", weight, "Q8_0"))
 * decodeGgufCodes(tensor)?.codes[0] // 255: 127 above the zero point 128
 * ```
 */
export const decodeGgufCodes = ({
  type,
  shape,
  bytes,
}: GgufTensor): QuantizedMatrix | undefined => {
  if ((type !== "Q4_0" && type !== "Q8_0") || shape.length !== 2) return undefined
  const { scales, codes } = splitBlocks(type, bytes)
  const zero = type === "Q4_0" ? 8 : 128
  return {
    shape: [shape[0], shape[1]],
    bits: type === "Q4_0" ? 4 : 8,
    groupSize: blockSize,
    codes: type === "Q4_0" ? codes : codes.map((code) => code + 128),
    scales,
    zeroPoints: new Uint8Array(scales.length).fill(zero),
  }
}
