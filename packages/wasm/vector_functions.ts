import type { Lanes } from "./lanes.ts"

/**
 * Elementary functions on four `f32` lanes, written into the calling loop: no call an element. Each
 * takes and returns a local.
 *
 * Polynomials are minimax fits (Remez exchange in f64 on the reduced interval, coefficients then
 * rounded to f32); the relative error of each fit is stated beside it. Range reductions are the
 * textbook ones: Muller, Elementary Functions, chapters 11 and 12.
 */

/** Adding this rounds an `f32` of less than 2²² to an integer, which is then in the low bits. */
const roundingShift = 12582912

/** ln 2 as a head of 10 significant bits, whose product with an exponent is exact, and a tail. */
const ln2Head = 0.693359375
const ln2Tail = -2.12194440054690583e-4

/** (exp(r) − 1 − r) / r² on |r| ≤ ln 2 / 2: 3.1e-9. */
const expCoefficients = [0.5, 0.166665182, 0.041666206, 0.0083688898, 0.00139504904]

/** exp(r) for x = n ln 2 + r, and n in the highest nine bits. */
const reducedExp = (l: Lanes, x: number): { readonly value: number; readonly power: number } => {
  const shifted = l.multiplyAdd(x, l.float(Math.LOG2E), l.float(roundingShift))
  const n = l.subtract(shifted, l.float(roundingShift))
  const head = l.multiplyAdd(n, l.float(-ln2Head), x)
  const r = l.multiplyAdd(n, l.float(-ln2Tail), head)
  const rest = l.polynomial(r, expCoefficients)
  return {
    value: l.add(l.multiplyAdd(rest, l.multiply(r, r), r), l.float(1)),
    power: l.shift("i32x4.shl", shifted, 23),
  }
}

/** 2ⁿ for n in the highest nine bits. A product with it, unlike a sum of bits, keeps NaN. */
const asFloat = (l: Lanes, power: number): number => l.op("i32x4.add", power, l.bits(0x3f800000))

/**
 * exp: n = round(x / ln 2), r = x − n ln 2 in two parts, then 2ⁿ in two factors, so that denormal
 * results and the last octave before infinity come out right.
 */
export const exp = (l: Lanes, x: number): number => {
  const { value, power } = reducedExp(l, l.clamp(x, l.float(-104), l.float(89)))
  const half = l.and(l.shift("i32x4.shr_s", power, 1), l.bits(0xff800000))
  const rest = l.op("i32x4.sub", power, half)
  return l.multiply(l.multiply(value, asFloat(l, half)), asFloat(l, rest))
}

/** exp of numbers whose exponential is an ordinary number: |x| ≤ 80. */
const moderateExp = (l: Lanes, x: number): number => {
  const { value, power } = reducedExp(l, x)
  return l.multiply(value, asFloat(l, power))
}

/** (log(1 + t) − t + t²/2) / t³ on [√½ − 1, √2 − 1]: 5.8e-9. */
const logCoefficients = [
  0.333333313, -0.250008196, 0.200012267, -0.166233569, 0.142017573, -0.131601825, 0.12761578,
  -0.0763449818,
]

/** log: mantissa in [√½, √2) and exponent from the bits; zero, negatives, ∞ and NaN by selection. */
export const log = (l: Lanes, x: number): number => {
  const zero = l.bits(0)
  const small = l.op("f32x4.lt", x, l.float(1.1754943508222875e-38))
  const normal = l.select(small, l.multiply(x, l.float(8388608)), x)
  const e = l.shift("i32x4.shr_s", l.op("i32x4.sub", normal, l.bits(0x3f3504f3)), 23)
  const mantissa = l.op("i32x4.sub", normal, l.shift("i32x4.shl", e, 23))
  const t = l.subtract(mantissa, l.float(1))
  const n = l.op("f32x4.convert_i32x4_s", l.op("i32x4.sub", e, l.and(small, l.bits(23))))
  const square = l.multiply(t, t)
  const cube = l.multiply(l.polynomial(t, logCoefficients), l.multiply(t, square))
  const tail = l.multiplyAdd(square, l.float(-0.5), l.multiplyAdd(n, l.float(ln2Tail), cube))
  const value = l.multiplyAdd(n, l.float(ln2Head), l.add(tail, t))
  const usual = l.and(l.op("f32x4.gt", x, zero), l.op("f32x4.lt", x, l.float(Infinity)))
  const negative = l.select(l.op("f32x4.lt", x, zero), l.float(NaN), x)
  const special = l.select(l.op("f32x4.eq", x, zero), l.float(-Infinity), negative)
  return l.select(usual, value, special)
}

/** (tanh(x) − x) / x³ as a polynomial in x² on |x| ≤ 0.65: 6.8e-9. */
const tanhCoefficients = [-0.333332598, 0.133308306, -0.0536880232, 0.0204694197, -0.00551516423]

/** tanh: odd polynomial near zero, 1 − 2 / (exp(2|x|) + 1) beyond. */
export const tanh = (l: Lanes, x: number): number => {
  const magnitude = l.op("f32x4.abs", x)
  // From 9.02 on the result is 1.
  const bounded = l.op("f32x4.pmin", l.add(magnitude, magnitude), l.float(20))
  const grown = l.add(moderateExp(l, bounded), l.float(1))
  const large = l.copySign(l.subtract(l.float(1), l.divide(l.float(2), grown)), x)
  const square = l.multiply(x, x)
  const small = l.multiplyAdd(l.multiply(l.polynomial(square, tanhCoefficients), square), x, x)
  return l.select(l.op("f32x4.lt", magnitude, l.float(0.625)), small, large)
}

/** (sin r − r) / r³ and (cos r − 1 + r²/2) / r⁴ in r² on |r| ≤ π/4: 3.6e-9 and 9.5e-11. */
const sinCoefficients = [-0.166666552, 0.008332178, -0.000195172353]
const cosCoefficients = [0.0416666456, -0.00138873665, 0.0000244383791]

/** π/2 as a head of 33 significant bits and a tail. */
const halfPiHead = 1.57079632673412561417
const halfPiTail = 6.07710050650619224932e-11

/** Two lanes (the low half of `x`) less the nearest multiple of π/2, and which multiple. */
const reduceHalf = (l: Lanes, x: number): { readonly rest: number; readonly multiple: number } => {
  const wide = l.op("f64x2.promote_low_f32x4", x)
  const n = l.op("f64x2.nearest", l.op("f64x2.mul", wide, l.wide(2 / Math.PI)))
  const head = l.op("f64x2.sub", wide, l.op("f64x2.mul", n, l.wide(halfPiHead)))
  const rest = l.op("f64x2.sub", head, l.op("f64x2.mul", n, l.wide(halfPiTail)))
  return {
    rest: l.op("f32x4.demote_f64x2_zero", rest),
    multiple: l.op("i32x4.trunc_sat_f64x2_s_zero", n),
  }
}

/**
 * sin (`turn` 0) or cos (`turn` 1): the argument is reduced by multiples of π/2 in f64, exact enough
 * for |x| < 2²⁰ π/2; beyond that accuracy decays, but the result stays within [−1, 1].
 */
export const sine = (l: Lanes, x: number, turn: 0 | 1): number => {
  const low = reduceHalf(l, x)
  const high = reduceHalf(l, l.shuffle(x, x, [2, 3, 2, 3]))
  const counted = l.shuffle(low.multiple, high.multiple, [0, 1, 4, 5])
  const quadrant = turn === 0 ? counted : l.op("i32x4.add", counted, l.bits(1))
  const joined = l.shuffle(low.rest, high.rest, [0, 1, 4, 5])
  const r = l.clamp(joined, l.float(-Math.PI / 4), l.float(Math.PI / 4))
  const square = l.multiply(r, r)
  const fourth = l.multiply(square, square)
  const cosine = l.multiplyAdd(
    l.polynomial(square, cosCoefficients),
    fourth,
    l.multiplyAdd(square, l.float(-0.5), l.float(1)),
  )
  const sinePart = l.multiply(l.polynomial(square, sinCoefficients), square)
  const swap = l.op("i32x4.sub", l.bits(0), l.and(quadrant, l.bits(1)))
  const value = l.select(swap, cosine, l.multiplyAdd(sinePart, r, r))
  return l.op("v128.xor", value, l.shift("i32x4.shl", l.and(quadrant, l.bits(2)), 30))
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
export const erf = (l: Lanes, x: number): number => {
  const t = l.op("f32x4.pmin", l.op("f32x4.abs", x), l.float(3.95))
  const exponent = l.op("f32x4.neg", l.multiplyAdd(l.polynomial(t, erfcCoefficients), t, t))
  const large = l.copySign(l.subtract(l.float(1), moderateExp(l, exponent)), x)
  const small = l.multiplyAdd(l.polynomial(l.multiply(x, x), erfCoefficients), x, x)
  return l.select(l.op("f32x4.lt", t, l.float(0.92)), small, large)
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

/** |x|^y for two lanes (the low halves of `x` and `y`). */
const powerHalf = (l: Lanes, x: number, y: number): number => {
  const base = l.op("f64x2.abs", l.op("f64x2.promote_low_f32x4", x))
  const exponent = l.op("f64x2.promote_low_f32x4", y)
  const e = l.shift("i64x2.shr_s", l.op("i64x2.sub", base, l.wide(Math.SQRT1_2)), 52)
  const mantissa = l.op("i64x2.sub", base, l.shift("i64x2.shl", e, 52))
  const s = l.op(
    "f64x2.div",
    l.op("f64x2.add", mantissa, l.wide(-1)),
    l.op("f64x2.add", mantissa, l.wide(1)),
  )
  const square = l.op("f64x2.mul", s, s)
  const rest = l.op("f64x2.mul", l.polynomialWide(square, atanhCoefficients), square)
  const atanh = l.op("f64x2.add", l.op("f64x2.mul", rest, s), s)
  const n = l.op("f64x2.convert_low_i32x4_s", l.shuffle(e, e, [0, 2, 0, 2]))
  const finite = l.op("f64x2.add", l.op("f64x2.mul", atanh, l.wide(2 * Math.LOG2E)), n)
  const upper = l.select(l.op("f64x2.eq", base, l.wide(Infinity)), base, finite)
  const log2 = l.select(l.op("f64x2.eq", base, l.wide(0)), l.wide(-Infinity), upper)
  const product = l.op("f64x2.mul", log2, exponent)
  const bounded = l.op("f64x2.max", l.op("f64x2.min", product, l.wide(1000)), l.wide(-1000))
  const whole = l.op("f64x2.nearest", bounded)
  const part = l.op("f64x2.mul", l.op("f64x2.sub", bounded, whole), l.wide(Math.LN2))
  const value = l.polynomialWide(part, expWideCoefficients)
  const biased = l.op("i32x4.add", l.op("i32x4.trunc_sat_f64x2_s_zero", whole), l.bits(1023))
  const scale = l.shift("i64x2.shl", l.op("i64x2.extend_low_i32x4_s", biased), 52)
  return l.op("f32x4.demote_f64x2_zero", l.op("f64x2.mul", value, scale))
}

/**
 * power, computed in f64 so that a large exponent costs no accuracy. Edge cases are those of
 * `Math.pow`.
 */
export const power = (l: Lanes, x: number, y: number): number => {
  const zero = l.bits(0)
  const high = (a: number): number => l.shuffle(a, a, [2, 3, 2, 3])
  const low = powerHalf(l, x, y)
  const magnitude = l.shuffle(low, powerHalf(l, high(x), high(y)), [0, 1, 4, 5])
  const isWhole = (a: number): number => l.op("f32x4.eq", l.op("f32x4.trunc", a), a)
  const whole = isWhole(y)
  const odd = l.op("v128.andnot", whole, isWhole(l.multiply(y, l.float(0.5))))
  // A negative base to an odd power is negative.
  const negate = l.and(l.and(odd, x), l.bits(0x80000000))
  const value = l.op("v128.xor", magnitude, negate)
  const negative = l.and(l.op("f32x4.lt", x, zero), l.op("f32x4.gt", x, l.float(-Infinity)))
  const undefinedHere = l.op("v128.andnot", negative, whole)
  const isNaN = l.op("v128.or", undefinedHere, l.op("f32x4.ne", x, x))
  return l.select(l.op("f32x4.eq", y, zero), l.float(1), l.select(isNaN, l.float(NaN), value))
}

/** sign: ±1, and zeros and NaN as they are. */
export const sign = (l: Lanes, x: number): number => {
  const zero = l.bits(0)
  const signed = l.op("v128.or", l.op("f32x4.lt", x, zero), l.op("f32x4.gt", x, zero))
  return l.select(signed, l.copySign(l.float(1), x), x)
}
