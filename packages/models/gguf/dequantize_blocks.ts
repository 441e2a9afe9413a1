import { floatsOfHalves } from "../float16.ts"
import type { BlockParts } from "./quantize_blocks.ts"
import type { GgufBlockType } from "./tensor_types.ts"
import { blockSize, tensorTypes } from "./tensor_types.ts"

const half = blockSize / 2

const fromHalves = (bits: Uint16Array): Float32Array => {
  const values = new Float32Array(bits.length)
  floatsOfHalves(bits, values)
  return values
}

/** The parts of blocks, the opposite of `joinBlocks`. */
export const splitBlocks = (type: GgufBlockType, bytes: Uint8Array): BlockParts => {
  const width = tensorTypes[type].bytes
  const blocks = bytes.length / width
  const scales = new Uint16Array(blocks)
  const minima = new Uint16Array(type === "Q4_1" ? blocks : 0)
  const codes = new Uint8Array(blocks * blockSize)
  for (let block = 0; block < blocks; block++) {
    let at = block * width
    const readHalf = () => {
      at += 2
      return bytes[at - 2] | (bytes[at - 1] << 8)
    }
    scales[block] = readHalf()
    if (type === "Q4_1") minima[block] = readHalf()
    const first = block * blockSize
    if (type === "Q8_0") codes.set(bytes.subarray(at, at + blockSize), first)
    else {
      for (let i = first; i < first + half; i++, at++) {
        codes[i] = bytes[at] & 15
        codes[i + half] = bytes[at] >> 4
      }
    }
  }
  return {
    scales: fromHalves(scales),
    ...(type === "Q4_1" ? { minima: fromHalves(minima) } : {}),
    codes,
  }
}

/** The weights that blocks stand for, each rounded to f32 once. */
export const dequantizeBlocks = (type: GgufBlockType, bytes: Uint8Array): Float32Array => {
  const { scales, minima, codes } = splitBlocks(type, bytes)
  const weights = new Float32Array(codes.length)
  const signed = new Int8Array(codes.buffer)
  for (let i = 0; i < codes.length; i++) {
    const block = Math.floor(i / blockSize)
    const q = type === "Q8_0" ? signed[i] : type === "Q4_0" ? codes[i] - 8 : codes[i]
    weights[i] = scales[block] * q + (minima === undefined ? 0 : minima[block])
  }
  return weights
}
