/** Numbers drawn one after the other, uniform in [0, 1) in steps of 2^-32. */
export type RandomNumbers = () => number

const rotate = (x: number, bits: number): number => ((x << bits) | (x >>> (32 - bits))) >>> 0

/**
 * xoshiro128** in 32-bit arithmetic, its four words filled from the seed by splitmix32: the same seed
 * gives the same numbers everywhere.
 *
 * Source: Blackman and Vigna 2021, "Scrambled linear pseudorandom number generators".
 *
 * @example
 * ```ts
 * const random = makeRandomNumbers(0)
 * random() // in [0, 1)
 * ```
 */
export const makeRandomNumbers = (seed: number): RandomNumbers => {
  let weyl = seed >>> 0
  const splitmix = (): number => {
    weyl = (weyl + 0x9e3779b9) >>> 0
    let z = weyl
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    return (z ^ (z >>> 16)) >>> 0
  }
  let [a, b, c, d] = [splitmix(), splitmix(), splitmix(), splitmix()]
  return () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
    const shifted = (b << 9) >>> 0
    c = (c ^ a) >>> 0
    d = (d ^ b) >>> 0
    b = (b ^ c) >>> 0
    a = (a ^ d) >>> 0
    c = (c ^ shifted) >>> 0
    d = rotate(d, 11)
    return result / 2 ** 32
  }
}
