const scratch = new ArrayBuffer(4)
const asFloat = new Float32Array(scratch)
const asBits = new Uint32Array(scratch)

/** The value of an IEEE 754 binary16 number given by its bits. Exact. */
export const floatOfHalf = (bits: number): number => {
  const sign = (bits & 0x8000) << 16
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  // Below the normal range the fraction counts units of 2^-24.
  if (exponent === 0) return (sign === 0 ? 1 : -1) * fraction * 2 ** -24
  asBits[0] = sign | ((exponent === 31 ? 255 : exponent + 112) << 23) | (fraction << 13)
  return asFloat[0]
}

/** The value of a bfloat16 number given by its bits: the upper half of an `f32`. Exact. */
export const floatOfBrain = (bits: number): number => {
  asBits[0] = bits << 16
  return asFloat[0]
}
