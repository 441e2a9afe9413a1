import type { DType } from "../dtype.ts"
import type { BinaryFunction, UnaryFunction } from "./expression.ts"

/**
 * What each scalar function means. Floats are computed in `f64`; integers wrap to 32 bits; `bool`
 * is 0 or 1. The interpreter and constant folding both use these, so they cannot disagree.
 */

/** Wraps or rounds a number to what `dtype` can hold; floats pass unchanged. */
export const wrap = (dtype: DType, value: number): number => {
  switch (dtype) {
    case "i32":
      return value | 0
    case "u32":
      return value >>> 0
    case "bool":
      return value === 0 ? 0 : 1
    default:
      return value
  }
}

/** Rounds half to even, as IEEE 754 and every device here does. */
export const roundHalfToEven = (value: number): number => {
  const floor = Math.floor(value)
  const difference = value - floor
  if (difference < 0.5) return floor
  if (difference > 0.5) return floor + 1
  return floor % 2 === 0 ? floor : floor + 1
}

/**
 * The error function to full double precision: its Maclaurin series near zero, the continued
 * fraction of erfc (modified Lentz) beyond. Abramowitz & Stegun 7.1.6 and 7.1.14.
 */
export const erf = (x: number): number => {
  const magnitude = Math.abs(x)
  if (Number.isNaN(x)) return Number.NaN
  if (magnitude > 6) return Math.sign(x)
  if (magnitude < 2.5) {
    let term = x
    let sum = x
    for (let n = 1; n < 200; n++) {
      term *= (2 * x * x) / (2 * n + 1)
      sum += term
      if (Math.abs(term) < 1e-18 * Math.abs(sum)) break
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
  }
  let fraction = 0
  for (let n = 200; n >= 1; n--) fraction = n / 2 / (magnitude + fraction)
  const complement = Math.exp(-x * x) / (Math.sqrt(Math.PI) * (magnitude + fraction))
  return Math.sign(x) * (1 - complement)
}

/** Reinterprets 32 bits. */
export const bitcast = (from: DType, to: DType, value: number): number => {
  const view = new DataView(new ArrayBuffer(4))
  if (from === "f32" || from === "f64" || from === "f16") view.setFloat32(0, value)
  else view.setUint32(0, value >>> 0)
  if (to === "f32" || to === "f64" || to === "f16") return view.getFloat32(0)
  return to === "i32" ? view.getInt32(0) : view.getUint32(0)
}

/** Converts between dtypes; floats truncate towards zero and saturate at the integer's range. */
export const cast = (from: DType, to: DType, value: number): number => {
  if (to === "bool") return value === 0 ? 0 : 1
  if (to !== "i32" && to !== "u32") return value
  if (from === "i32" || from === "u32" || from === "bool") return wrap(to, value)
  if (Number.isNaN(value)) return 0
  const low = to === "i32" ? -2147483648 : 0
  const high = to === "i32" ? 2147483647 : 4294967295
  return Math.min(high, Math.max(low, Math.trunc(value)))
}

/** `function(value)` for an operand of `dtype`. */
export const unary = (name: UnaryFunction, dtype: DType, value: number): number => {
  switch (name) {
    case "negate":
      return wrap(dtype, -value)
    case "absolute":
      return wrap(dtype, Math.abs(value))
    case "sign":
      return Math.sign(value)
    case "floor":
      return Math.floor(value)
    case "ceil":
      return Math.ceil(value)
    case "round":
      return roundHalfToEven(value)
    case "truncate":
      return Math.trunc(value)
    case "sqrt":
      return Math.sqrt(value)
    case "exp":
      return Math.exp(value)
    case "log":
      return Math.log(value)
    case "sin":
      return Math.sin(value)
    case "cos":
      return Math.cos(value)
    case "tanh":
      return Math.tanh(value)
    case "erf":
      return erf(value)
    case "not":
      return dtype === "bool" ? 1 - value : wrap(dtype, ~value)
  }
}

/** `function(left, right)` for operands of `dtype`. */
export const binary = (name: BinaryFunction, dtype: DType, left: number, right: number): number => {
  const integer = dtype === "i32" || dtype === "u32"
  switch (name) {
    case "add":
      return wrap(dtype, left + right)
    case "subtract":
      return wrap(dtype, left - right)
    case "multiply":
      return integer ? wrap(dtype, Math.imul(left, right)) : left * right
    case "divide":
      return integer ? wrap(dtype, right === 0 ? 0 : Math.trunc(left / right)) : left / right
    case "remainder":
      return integer && right === 0 ? 0 : wrap(dtype, left % right)
    case "maximum":
      return Math.max(left, right)
    case "minimum":
      return Math.min(left, right)
    case "power":
      return wrap(dtype, Math.pow(left, right))
    case "and":
      return wrap(dtype, left & right)
    case "or":
      return wrap(dtype, left | right)
    case "xor":
      return wrap(dtype, left ^ right)
    case "shiftLeft":
      return wrap(dtype, left << right)
    case "shiftRight":
      return wrap(dtype, dtype === "u32" ? left >>> right : left >> right)
    case "equal":
      return left === right ? 1 : 0
    case "notEqual":
      return left !== right ? 1 : 0
    case "less":
      return left < right ? 1 : 0
    case "lessEqual":
      return left <= right ? 1 : 0
  }
}
