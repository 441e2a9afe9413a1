// Whole arrays at a time: checkpoints have billions of numbers.

/** The value of an IEEE 754 binary16 number given by its bits. Exact. */
const floatOfHalf = (bits: number): number => {
  const sign = (bits & 0x8000) === 0 ? 1 : -1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN
  // Below the normal range the fraction counts units of 2^-24.
  if (exponent === 0) return sign * fraction * 2 ** -24
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

let halves: Float32Array | undefined

/** The values of binary16 numbers given by their bits. Exact. */
export const floatsOfHalves = (bits: Uint16Array, floats: Float32Array): void => {
  halves ??= Float32Array.from({ length: 0x10000 }, (_, half) => floatOfHalf(half))
  const table = halves
  for (let i = 0; i < bits.length; i++) floats[i] = table[bits[i]]
}

/** The values of bfloat16 numbers given by their bits: the upper half of an `f32`. Exact. */
export const floatsOfBrains = (bits: Uint16Array, floats: Float32Array): void => {
  const wide = new Uint32Array(floats.buffer, floats.byteOffset, bits.length)
  for (let i = 0; i < bits.length; i++) wide[i] = bits[i] << 16
}

const scratch = new Float32Array(1)
const scratchBits = new Uint32Array(scratch.buffer)
const bitsOfHalf = 0x3f000000

/** The bits of the nearest binary16 numbers, ties to even; 65520 and above become infinite. */
export const halvesOfFloats = (floats: Float32Array, bits: Uint16Array): void => {
  const wide = new Uint32Array(floats.buffer, floats.byteOffset, floats.length)
  for (let i = 0; i < floats.length; i++) {
    const sign = (wide[i] >>> 16) & 0x8000
    const magnitude = wide[i] & 0x7fffffff
    if (magnitude >= 0x47800000) {
      bits[i] = sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00)
    } else if (magnitude >= 0x38800000) {
      const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1)
      bits[i] = sign | ((rounded - 0x38000000) >>> 13)
    } else {
      // Beside 1/2 an f32 has a unit of 2^-24, that of the numbers below binary16's normal range.
      scratch[0] = Math.abs(floats[i]) + 0.5
      bits[i] = sign | (scratchBits[0] - bitsOfHalf)
    }
  }
}

/** The bits of the nearest bfloat16 numbers, ties to even. */
export const brainsOfFloats = (floats: Float32Array, bits: Uint16Array): void => {
  const wide = new Uint32Array(floats.buffer, floats.byteOffset, floats.length)
  for (let i = 0; i < floats.length; i++) {
    const value = wide[i]
    const isNaN = (value & 0x7fffffff) > 0x7f800000
    bits[i] = isNaN ? (value >>> 16) | 0x40 : (value + 0x7fff + ((value >>> 16) & 1)) >>> 16
  }
}
