/**
 * Numbers that every contestant makes for itself, bit for bit the same in any language: a hash of
 * the index and a seed. `python/contestant.py` holds the same formula.
 */
export interface Formula {
  readonly shape: ReadonlyArray<number>
  readonly seed: number
  /** The values are uniform in [offset − scale, offset + scale). */
  readonly scale?: number
  readonly offset?: number
}

/** A mixing of 32 bits (the "lowbias32" constants of Wellons' hash prospector). */
const mix = (value: number): number => {
  let x = value
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d)
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b)
  return (x ^ (x >>> 16)) >>> 0
}

const start = (seed: number): number => Math.imul(seed, 0x9e3779b1)

export const sizeOf = (shape: ReadonlyArray<number>): number =>
  shape.reduce((product, extent) => product * extent, 1)

/** The `f32` values of a formula in row-major order. */
export const uniform = ({ shape, seed, scale = 1, offset = 0 }: Formula): Float32Array => {
  const values = new Float32Array(sizeOf(shape))
  const from = start(seed)
  for (let i = 0; i < values.length; i++) {
    values[i] = ((mix((from + i) | 0) >>> 8) / 2 ** 23 - 1) * scale + offset
  }
  return values
}

/** `count` whole numbers below `limit`. */
export const integers = (count: number, seed: number, limit: number): Int32Array => {
  const values = new Int32Array(count)
  const from = start(seed)
  for (let i = 0; i < count; i++) values[i] = mix((from + i) | 0) % limit
  return values
}
