import type { Emitter } from "./emitter.ts"

/**
 * Elementary functions on four `f32` lanes, written into the calling loop: no call an element. Each
 * takes the local that holds its argument and leaves the result on the stack.
 *
 * Polynomials are minimax fits (Remez exchange in f64 on the reduced interval, coefficients then
 * rounded to f32); the relative error of each fit is stated beside it. Range reductions are the
 * textbook ones: Muller, Elementary Functions, chapters 11 and 12.
 */

const signBit = -2147483648

/** Leaves `Σ coefficients[i]·x^i` on the stack. */
const polynomial = (emitter: Emitter, x: number, coefficients: ReadonlyArray<number>): void => {
  const { f } = emitter
  f.f32x4(coefficients.at(-1)!)
  for (let i = coefficients.length - 2; i >= 0; i--) {
    f.get(x)
    emitter.multiplyAdd(() => f.f32x4(coefficients[i]!))
  }
}

/** (exp(r) − 1 − r) / r² on |r| ≤ ln 2 / 2: 3.1e-9. */
const expCoefficients = [0.5, 0.166665182, 0.041666206, 0.0083688898, 0.00139504904]

/**
 * exp: n = round(x / ln 2), r = x − n ln 2 in two parts, then 2ⁿ in two factors, so that denormal
 * results and the last octave before infinity come out right.
 */
export const exp = (emitter: Emitter, x: number): void => {
  const { f } = emitter
  const [r, n, square] = [emitter.temporary(0), emitter.temporary(1), emitter.temporary(2)]
  f.get(x).f32x4(89).op("f32x4.min").f32x4(-104).op("f32x4.max").tee(r)
  f.f32x4(Math.LOG2E).op("f32x4.mul").op("f32x4.nearest").set(n)
  // 0.693359375 has 10 significant bits: its product with n is exact.
  f.get(r).get(n).f32x4(0.693359375).op("f32x4.mul").op("f32x4.sub")
  f.get(n).f32x4(-2.12194440054690583e-4).op("f32x4.mul").op("f32x4.sub").tee(r)
  f.get(r).op("f32x4.mul").set(square)
  polynomial(emitter, r, expCoefficients)
  f.get(square)
  emitter.multiplyAdd(() => f.get(r))
  f.f32x4(1).op("f32x4.add")
  f.get(n).op("i32x4.trunc_sat_f32x4_s").tee(n)
  f.i32(1).op("i32x4.shr_s").tee(r)
  f.i32x4(127).op("i32x4.add").i32(23).op("i32x4.shl").op("f32x4.mul")
  f.get(n).get(r).op("i32x4.sub").i32x4(127).op("i32x4.add").i32(23).op("i32x4.shl")
  f.op("f32x4.mul")
}

/** (log(1 + t) − t + t²/2) / t³ on [√½ − 1, √2 − 1]: 5.8e-9. */
const logCoefficients = [
  0.333333313, -0.250008196, 0.200012267, -0.166233569, 0.142017573, -0.131601825, 0.12761578,
  -0.0763449818,
]

/** log: mantissa in [√½, √2) and exponent from the bits; zero, negatives, ∞ and NaN by selection. */
export const log = (emitter: Emitter, x: number): void => {
  const { f } = emitter
  const [t, e, square, small] = [0, 1, 2, 3].map((slot) => emitter.temporary(slot)) as [
    number,
    number,
    number,
    number,
  ]
  f.get(x).f32x4(1.1754943508222875e-38).op("f32x4.lt").set(small)
  f.get(x).f32x4(8388608).op("f32x4.mul").get(x).get(small).op("v128.bitselect").tee(t)
  f.i32x4(0x3f3504f3).op("i32x4.sub").i32(23).op("i32x4.shr_s").set(e)
  f.get(t).get(e).i32(23).op("i32x4.shl").op("i32x4.sub").f32x4(1).op("f32x4.sub").tee(t)
  f.get(t).op("f32x4.mul").set(square)
  f.get(e).get(small).i32x4(23).op("v128.and").op("i32x4.sub")
  f.op("f32x4.convert_i32x4_s").set(e)
  polynomial(emitter, t, logCoefficients)
  f.get(t).op("f32x4.mul").get(square).op("f32x4.mul")
  f.get(e).f32x4(-2.12194440054690583e-4).op("f32x4.mul").op("f32x4.add")
  f.get(square).f32x4(0.5).op("f32x4.mul").op("f32x4.sub")
  f.get(t).op("f32x4.add")
  f.get(e).f32x4(0.693359375).op("f32x4.mul").op("f32x4.add")
  f.f32x4(-Infinity).f32x4(NaN).get(x).get(x).f32x4(0).op("f32x4.lt").op("v128.bitselect")
  f.get(x).f32x4(0).op("f32x4.eq").op("v128.bitselect")
  f.get(x).f32x4(0).op("f32x4.gt").get(x).f32x4(Infinity).op("f32x4.lt").op("v128.and")
  f.op("v128.bitselect")
}

/** (tanh(x) − x) / x³ as a polynomial in x² on |x| ≤ 0.65: 6.8e-9. */
const tanhCoefficients = [-0.333332598, 0.133308306, -0.0536880232, 0.0204694197, -0.00551516423]

/** tanh: odd polynomial near zero, 1 − 2 / (exp(2|x|) + 1) beyond. */
export const tanh = (emitter: Emitter, x: number): void => {
  const { f } = emitter
  const [magnitude, large, square] = [4, 5, 6].map((slot) => emitter.temporary(slot)) as [
    number,
    number,
    number,
  ]
  f.get(x).op("f32x4.abs").tee(magnitude).get(magnitude).op("f32x4.add").set(large)
  f.f32x4(1).f32x4(2)
  exp(emitter, large)
  f.f32x4(1).op("f32x4.add").op("f32x4.div").op("f32x4.sub").set(large)
  f.get(x).get(large).i32x4(signBit).op("v128.bitselect").set(large)
  f.get(x).get(x).op("f32x4.mul").set(square)
  polynomial(emitter, square, tanhCoefficients)
  f.get(square).op("f32x4.mul").get(x)
  emitter.multiplyAdd(() => f.get(x))
  f.get(large)
  f.get(magnitude).f32x4(0.625).op("f32x4.lt").op("v128.bitselect")
}

/** (sin r − r) / r³ and (cos r − 1 + r²/2) / r⁴ in r² on |r| ≤ π/4: 3.6e-9 and 9.5e-11. */
const sinCoefficients = [-0.166666552, 0.008332178, -0.000195172353]
const cosCoefficients = [0.0416666456, -0.00138873665, 0.0000244383791]

/**
 * sin (`turn` 0) or cos (`turn` 1): the argument is reduced by multiples of π/2 in f64, exact enough
 * for |x| < 2²⁰ π/2; beyond that accuracy decays, but the result stays within [−1, 1].
 */
export const sine = (emitter: Emitter, x: number, turn: 0 | 1): void => {
  const { f } = emitter
  const [n, r, quadrant, square, low] = [0, 1, 2, 3, 4].map((s) => emitter.temporary(s)) as [
    number,
    number,
    number,
    number,
    number,
  ]
  const half = (): void => {
    f.op("f64x2.promote_low_f32x4").tee(r)
    f.f64x2(2 / Math.PI).op("f64x2.mul").op("f64x2.nearest").set(n)
    // π/2 as a head of 33 bits and a tail.
    f.get(r).get(n).f64x2(1.57079632673412561417).op("f64x2.mul").op("f64x2.sub")
    f.get(n).f64x2(6.07710050650619224932e-11).op("f64x2.mul").op("f64x2.sub")
    f.op("f32x4.demote_f64x2_zero").set(r)
    f.get(n).op("i32x4.trunc_sat_f64x2_s_zero").set(n)
  }
  f.get(x)
  half()
  f.get(r).set(low).get(n).set(quadrant)
  f.get(x).get(x).shuffle(2, 3, 2, 3)
  half()
  f.get(quadrant).get(n).shuffle(0, 1, 4, 5)
  if (turn === 1) f.i32x4(1).op("i32x4.add")
  f.set(quadrant)
  f.get(low).get(r).shuffle(0, 1, 4, 5)
  f.f32x4(Math.PI / 4).op("f32x4.min").f32x4(-Math.PI / 4).op("f32x4.max").tee(r)
  f.get(r).op("f32x4.mul").set(square)
  polynomial(emitter, square, cosCoefficients)
  f.get(square).op("f32x4.mul").get(square).op("f32x4.mul")
  f.get(square).f32x4(0.5).op("f32x4.mul").op("f32x4.sub").f32x4(1).op("f32x4.add")
  polynomial(emitter, square, sinCoefficients)
  f.get(square).op("f32x4.mul").get(r)
  emitter.multiplyAdd(() => f.get(r))
  f.i32x4(0).get(quadrant).i32x4(1).op("v128.and").op("i32x4.sub").op("v128.bitselect")
  f.get(quadrant).i32x4(2).op("v128.and").i32(30).op("i32x4.shl").op("v128.xor")
}

/** (erf(x) − x) / x in x² on |x| ≤ 0.93: 4.5e-10. */
const erfCoefficients = [
  0.128379166, -0.376126349, 0.112836942, -0.0268592704, 0.00520063424, -0.000813743856,
  0.0000834522798,
]
/** (−log erfc(t) − t) / t on [0.92, 3.95]: 7.3e-10 of erf(t). */
const erfcCoefficients = [
  0.12864849, 0.635151327, 0.106236875, -0.0237620603, 0.0036424573, -0.000322803389,
  0.0000112312582,
]

/** erf: odd polynomial near zero, 1 − exp(log erfc) beyond. */
export const erf = (emitter: Emitter, x: number): void => {
  const { f } = emitter
  const [t, large, square] = [4, 5, 6].map((slot) => emitter.temporary(slot)) as [
    number,
    number,
    number,
  ]
  f.get(x).op("f32x4.abs").f32x4(3.95).op("f32x4.min").set(t)
  polynomial(emitter, t, erfcCoefficients)
  f.get(t)
  emitter.multiplyAdd(() => f.get(t))
  f.op("f32x4.neg").set(large)
  f.f32x4(1)
  exp(emitter, large)
  f.op("f32x4.sub").set(large)
  f.get(x).get(large).i32x4(signBit).op("v128.bitselect").set(large)
  f.get(x).get(x).op("f32x4.mul").set(square)
  polynomial(emitter, square, erfCoefficients)
  f.get(x)
  emitter.multiplyAdd(() => f.get(x))
  f.get(large)
  f.get(t).f32x4(0.92).op("f32x4.lt").op("v128.bitselect")
}

/** (atanh(s) − s) / s³ in s² for s = (m − 1)/(m + 1), m in [√½, √2): 4.9e-12. */
const atanhCoefficients = [
  0.3333333281113983, 0.20000170451396937, 0.14268459705808562, 0.11794994719404692,
]
/** exp(g) on |g| ≤ ln 2 / 2: 4.1e-11. */
const expWideCoefficients = [
  0.9999999999595172, 0.9999999999640155, 0.5000000107811795, 0.1666666699607842,
  0.041666218099927085, 0.00833324860842617, 0.0013948592495486264, 0.0001992418777668891,
]

const polynomialWide = (emitter: Emitter, x: number, coefficients: ReadonlyArray<number>): void => {
  const { f } = emitter
  f.f64x2(coefficients.at(-1)!)
  for (let i = coefficients.length - 2; i >= 0; i--) {
    f.get(x).op("f64x2.mul").f64x2(coefficients[i]!).op("f64x2.add")
  }
}

/** |x|^y for two f64 lanes on the stack (x, then y), as f32 in the low lanes. */
const powerHalf = (emitter: Emitter): void => {
  const { f } = emitter
  const [x, y, e, s, square] = [0, 1, 2, 3, 4].map((slot) => emitter.temporary(slot)) as [
    number,
    number,
    number,
    number,
    number,
  ]
  f.set(y).op("f64x2.abs").tee(x)
  // The high words of the bits of √½: enough to split the exponent off.
  f.i32x4(0, 0x3fe6a09e, 0, 0x3fe6a09e).op("i64x2.sub").i32(52).op("i64x2.shr_s").set(e)
  f.get(x).get(e).i32(52).op("i64x2.shl").op("i64x2.sub").tee(s)
  f.f64x2(-1).op("f64x2.add").get(s).f64x2(1).op("f64x2.add").op("f64x2.div").tee(s)
  f.get(s).op("f64x2.mul").set(square)
  polynomialWide(emitter, square, atanhCoefficients)
  f.get(square).op("f64x2.mul").get(s).op("f64x2.mul").get(s).op("f64x2.add")
  f.f64x2(2 * Math.LOG2E).op("f64x2.mul")
  f.get(e).get(e).shuffle(0, 2, 0, 2).op("f64x2.convert_low_i32x4_s").op("f64x2.add").set(s)
  f.get(x).get(s).get(x).f64x2(Infinity).op("f64x2.eq").op("v128.bitselect").set(s)
  f.f64x2(-Infinity).get(s).get(x).f64x2(0).op("f64x2.eq").op("v128.bitselect")
  f.get(y).op("f64x2.mul").f64x2(1000).op("f64x2.min").f64x2(-1000).op("f64x2.max").tee(s)
  f.op("f64x2.nearest").set(e)
  f.get(s).get(e).op("f64x2.sub").f64x2(Math.LN2).op("f64x2.mul").set(s)
  polynomialWide(emitter, s, expWideCoefficients)
  f.get(e).op("i32x4.trunc_sat_f64x2_s_zero").i32x4(1023).op("i32x4.add")
  f.op("i64x2.extend_low_i32x4_s").i32(52).op("i64x2.shl")
  f.op("f64x2.mul").op("f32x4.demote_f64x2_zero")
}

/**
 * power, computed in f64 so that a large exponent costs no accuracy. Edge cases are those of
 * `Math.pow`.
 */
export const power = (emitter: Emitter, x: number, y: number): void => {
  const { f } = emitter
  const [result, low, whole] = [5, 6, 7].map((slot) => emitter.temporary(slot)) as [
    number,
    number,
    number,
  ]
  f.get(x).op("f64x2.promote_low_f32x4").get(y).op("f64x2.promote_low_f32x4")
  powerHalf(emitter)
  f.set(low)
  f.get(x).get(x).shuffle(2, 3, 2, 3).op("f64x2.promote_low_f32x4")
  f.get(y).get(y).shuffle(2, 3, 2, 3).op("f64x2.promote_low_f32x4")
  powerHalf(emitter)
  f.set(result).get(low).get(result).shuffle(0, 1, 4, 5).set(result)
  f.get(y).op("f32x4.trunc").get(y).op("f32x4.eq").set(whole)
  // A negative base to an odd power is negative.
  f.get(result)
  f.get(y).f32x4(0.5).op("f32x4.mul").tee(low).op("f32x4.trunc").get(low).op("f32x4.ne")
  f.get(whole).op("v128.and").get(x).op("v128.and").i32x4(signBit).op("v128.and").op("v128.xor")
  f.set(result)
  f.f32x4(NaN).get(result)
  f.get(x).f32x4(0).op("f32x4.lt").get(x).f32x4(-Infinity).op("f32x4.gt").op("v128.and")
  f.get(whole).op("v128.andnot").get(x).get(x).op("f32x4.ne").op("v128.or").op("v128.bitselect")
  f.set(result)
  f.f32x4(1).get(result).get(y).f32x4(0).op("f32x4.eq").op("v128.bitselect")
}

/** sign: ±1, and zeros and NaN as they are. */
export const sign = (emitter: Emitter, x: number): void => {
  const { f } = emitter
  f.get(x).f32x4(1).i32x4(signBit).op("v128.bitselect").get(x)
  f.get(x).f32x4(0).op("f32x4.lt").get(x).f32x4(0).op("f32x4.gt").op("v128.or")
  f.op("v128.bitselect")
}
