import { Result } from "effect"
import { halvesOfFloats } from "../float16.ts"
import type { GgufBlockType } from "./tensor_types.ts"
import { blockSize, tensorTypes } from "./tensor_types.ts"
import type { UnstorableWeight } from "./unstorable_weight.ts"
import { unstorable } from "./unstorable_weight.ts"

const half = blockSize / 2

/** Blocks whose parts are still apart. */
export interface BlockParts {
  /** `d` of each block. */
  readonly scales: Float32Array
  /** `m` of each block, for Q4_1. */
  readonly minima?: Float32Array
  /** 32 numbers a block: 0 to 15, or two's complement in 8 bits for Q8_0. */
  readonly codes: Uint8Array
}

/** Half-precision bits of finite numbers, or the first number that becomes infinite. */
const toHalves = (values: Float32Array): Uint16Array | { readonly overflow: number } => {
  const bits = new Uint16Array(values.length)
  halvesOfFloats(values, bits)
  const infinite = bits.findIndex((each) => (each & 0x7fff) >= 0x7c00)
  return infinite === -1 ? bits : { overflow: values[infinite] }
}

/**
 * The bytes of blocks: `d`, for Q4_1 also `m`, then the codes. Four bits lie two in a byte, of weight
 * `i` below and of weight `i + 16` above.
 */
export const joinBlocks = (
  name: string,
  type: GgufBlockType,
  { scales, minima, codes }: BlockParts,
): Result.Result<Uint8Array, UnstorableWeight> => {
  const fail = (quantity: "scale" | "minimum", value: number) =>
    Result.fail(unstorable(name, type, quantity, value))
  const scaleBits = toHalves(scales)
  if ("overflow" in scaleBits) return fail("scale", scaleBits.overflow)
  const minimumBits = minima === undefined ? undefined : toHalves(minima)
  if (minimumBits !== undefined && "overflow" in minimumBits) {
    return fail("minimum", minimumBits.overflow)
  }
  const width = tensorTypes[type].bytes
  const bytes = new Uint8Array(scales.length * width)
  for (let block = 0; block < scales.length; block++) {
    let at = block * width
    const pushHalf = (bits: number) => {
      bytes[at++] = bits & 0xff
      bytes[at++] = bits >> 8
    }
    pushHalf(scaleBits[block])
    if (minimumBits !== undefined) pushHalf(minimumBits[block])
    const first = block * blockSize
    if (type === "Q8_0") bytes.set(codes.subarray(first, first + blockSize), at)
    else {
      for (let i = first; i < first + half; i++) bytes[at++] = codes[i] | (codes[i + half] << 4)
    }
  }
  return Result.succeed(bytes)
}

/** 1/d as ggml computes it; where it is no number of f32, `d` is 0 in half precision anyway. */
const reciprocal = (d: number): number => {
  const inverse = d === 0 ? 0 : Math.fround(1 / d)
  return Number.isFinite(inverse) ? inverse : 0
}

/** The weight of the largest magnitude becomes −8. */
const quantizeQ40 = (values: Float32Array, parts: BlockParts, block: number): void => {
  const first = block * blockSize
  let extreme = 0
  for (let i = first; i < first + blockSize; i++) {
    if (Math.abs(values[i]) > Math.abs(extreme)) extreme = values[i]
  }
  const d = Math.fround(extreme / -8)
  const inverse = reciprocal(d)
  parts.scales[block] = d
  for (let i = first; i < first + blockSize; i++) {
    const scaled = Math.fround(values[i] * inverse)
    parts.codes[i] = Math.min(15, Math.trunc(Math.fround(scaled + 8.5)))
  }
}

/** The smallest weight becomes 0 and the largest 15. */
const quantizeQ41 = (values: Float32Array, parts: BlockParts, block: number): void => {
  const first = block * blockSize
  let [minimum, maximum] = [values[first], values[first]]
  for (let i = first; i < first + blockSize; i++) {
    if (values[i] < minimum) minimum = values[i]
    if (values[i] > maximum) maximum = values[i]
  }
  const d = Math.fround(Math.fround(maximum - minimum) / 15)
  const inverse = reciprocal(d)
  parts.scales[block] = d
  parts.minima![block] = minimum
  for (let i = first; i < first + blockSize; i++) {
    const scaled = Math.fround(Math.fround(values[i] - minimum) * inverse)
    parts.codes[i] = Math.min(15, Math.trunc(Math.fround(scaled + 0.5)))
  }
}

/** The largest magnitude becomes 127; ties go away from zero, as C's `roundf` has it. */
const quantizeQ80 = (values: Float32Array, parts: BlockParts, block: number): void => {
  const first = block * blockSize
  let extreme = 0
  for (let i = first; i < first + blockSize; i++) extreme = Math.max(extreme, Math.abs(values[i]))
  const d = Math.fround(extreme / 127)
  const inverse = reciprocal(d)
  parts.scales[block] = d
  for (let i = first; i < first + blockSize; i++) {
    const scaled = Math.fround(values[i] * inverse)
    parts.codes[i] = Math.sign(scaled) * Math.floor(Math.abs(scaled) + 0.5)
  }
}

const quantizers = { Q4_0: quantizeQ40, Q4_1: quantizeQ41, Q8_0: quantizeQ80 }

/**
 * Quantises rows of whole blocks by ggml's reference rules, to the same bytes. `name` is the tensor's,
 * for the message.
 *
 * Fails with {@link UnstorableWeight} where a weight is not finite, or a block's scale or minimum is
 * too large for half precision.
 *
 * Source: `quantize_row_q4_0_ref`, `quantize_row_q4_1_ref` and `quantize_row_q8_0_ref` of ggml, without
 * contraction of products and sums. They leave open what a scale below 2^−128 gives; here codes of 0.
 */
export const quantizeBlocks = (
  name: string,
  type: GgufBlockType,
  values: Float32Array,
): Result.Result<Uint8Array, UnstorableWeight> => {
  const damaged = values.find((value) => !Number.isFinite(value))
  if (damaged !== undefined) return Result.fail(unstorable(name, type, "weight", damaged))
  const blocks = values.length / blockSize
  const parts: BlockParts = {
    scales: new Float32Array(blocks),
    ...(type === "Q4_1" ? { minima: new Float32Array(blocks) } : {}),
    codes: new Uint8Array(values.length),
  }
  const quantize = quantizers[type]
  for (let block = 0; block < blocks; block++) quantize(values, parts, block)
  return joinBlocks(name, type, parts)
}
