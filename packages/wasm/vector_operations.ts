import type { DType, Ir, WasmEncoder } from "@espalier/tensor"
import { nonNegative } from "./dependencies.ts"
import type { Emitter } from "./emitter.ts"
import { Lanes } from "./lanes.ts"
import { integerDivision } from "./scalar_operations.ts"
import * as Functions from "./vector_functions.ts"

/** Something the instruction set or this back end has no code for. */
export class Unsupported extends Error {}

const unsupported = (name: string, dtype: DType): never => {
  throw new Unsupported(`there is no ${name} of ${dtype}`)
}

const rounding: Partial<Record<Ir.UnaryFunction, WasmEncoder.Opcode>> = {
  floor: "f32x4.floor",
  ceil: "f32x4.ceil",
  round: "f32x4.nearest",
  truncate: "f32x4.trunc",
}

const elementary: Partial<Record<Ir.UnaryFunction, (lanes: Lanes, x: number) => number>> = {
  exp: Functions.exp,
  log: Functions.log,
  tanh: Functions.tanh,
  erf: Functions.erf,
  sign: Functions.sign,
  sin: (lanes, x) => Functions.sine(lanes, x, 0),
  cos: (lanes, x) => Functions.sine(lanes, x, 1),
}

/** Pushes `name(x)`. */
export const vectorUnary = (
  emitter: Emitter,
  name: Ir.UnaryFunction,
  dtype: DType,
  x: number,
): void => {
  const { f } = emitter
  if (dtype === "f32") {
    const round = rounding[name]
    const inline = elementary[name]
    if (round !== undefined) f.get(x).op(round)
    else if (inline !== undefined) f.get(inline(new Lanes(emitter), x))
    else if (name === "negate") f.get(x).op("f32x4.neg")
    else if (name === "absolute") f.get(x).op("f32x4.abs")
    else if (name === "sqrt") f.get(x).op("f32x4.sqrt")
    else unsupported(name, dtype)
    return
  }
  f.get(x)
  switch (name) {
    case "not":
      f.op("v128.not")
      break
    case "floor":
    case "ceil":
    case "round":
    case "truncate":
      break
    case "negate":
      if (dtype !== "bool") f.op("i32x4.neg")
      break
    case "absolute":
      if (dtype === "i32") f.op("i32x4.abs")
      break
    case "sign":
      if (dtype === "i32") f.i32x4(1).op("i32x4.min_s").i32x4(-1).op("i32x4.max_s")
      else if (dtype === "u32") f.i32x4(1).op("i32x4.min_u")
      break
    default:
      unsupported(name, dtype)
  }
}

const floatOperations: Partial<Record<Ir.BinaryFunction, WasmEncoder.Opcode>> = {
  add: "f32x4.add",
  subtract: "f32x4.sub",
  multiply: "f32x4.mul",
  divide: "f32x4.div",
  equal: "f32x4.eq",
  notEqual: "f32x4.ne",
  less: "f32x4.lt",
  lessEqual: "f32x4.le",
}

const signedOperations: Partial<Record<Ir.BinaryFunction, WasmEncoder.Opcode>> = {
  add: "i32x4.add",
  subtract: "i32x4.sub",
  multiply: "i32x4.mul",
  maximum: "i32x4.max_s",
  minimum: "i32x4.min_s",
  and: "v128.and",
  or: "v128.or",
  xor: "v128.xor",
  equal: "i32x4.eq",
  notEqual: "i32x4.ne",
  less: "i32x4.lt_s",
  lessEqual: "i32x4.le_s",
}

const unsignedOperations: Partial<Record<Ir.BinaryFunction, WasmEncoder.Opcode>> = {
  ...signedOperations,
  maximum: "i32x4.max_u",
  minimum: "i32x4.min_u",
  less: "i32x4.lt_u",
  lessEqual: "i32x4.le_u",
}

/** On masks; `less` is `¬left ∧ right`, made by `andnot` with the operands turned round. */
const maskOperations: Partial<Record<Ir.BinaryFunction, WasmEncoder.Opcode>> = {
  add: "v128.or",
  subtract: "v128.xor",
  multiply: "v128.and",
  maximum: "v128.or",
  minimum: "v128.and",
  and: "v128.and",
  or: "v128.or",
  xor: "v128.xor",
  equal: "i32x4.eq",
  notEqual: "v128.xor",
}

const operationsOf = (dtype: DType) => {
  switch (dtype) {
    case "f32":
      return floatOperations
    case "i32":
      return signedOperations
    case "u32":
      return unsignedOperations
    default:
      return maskOperations
  }
}

/** Applies scalar code to each lane of two vectors and pushes the vector of the results. */
const perLane = (
  emitter: Emitter,
  type: "i32x4" | "f32x4",
  left: number,
  right: number,
  operation: () => void,
): void => {
  const { f } = emitter
  for (let lane = 0; lane < 4; lane++) {
    f.get(left).lane(`${type}.extract_lane`, lane).get(right).lane(`${type}.extract_lane`, lane)
    operation()
    if (lane === 0) f.op(`${type}.splat`)
    else {
      const value = emitter.keep(type === "i32x4" ? "i32" : "f32")
      const partial = emitter.keep("v128")
      f.get(partial).get(value).lane(`${type}.replace_lane`, lane)
    }
  }
}

const constantPower = (emitter: Emitter, x: number, exponent: number): boolean => {
  const { f } = emitter
  if (exponent === 1) f.get(x)
  else if (exponent === 2) f.get(x).get(x).op("f32x4.mul")
  else if (exponent === 3) f.get(x).get(x).op("f32x4.mul").get(x).op("f32x4.mul")
  else if (exponent === -1) f.f32x4(1).get(x).op("f32x4.div")
  else return false
  return true
}

/**
 * Pushes the larger or smaller of two `f32`, NaN where either is NaN: what `f32x4.max` gives (but
 * for the sign of zeros) at a third of its price on x86.
 */
const extreme = (emitter: Emitter, node: Ir.Binary, left: number, right: number): void => {
  const { f } = emitter
  const pick: WasmEncoder.Opcode = node.function === "maximum" ? "f32x4.pmax" : "f32x4.pmin"
  const isNumber = (side: Ir.Expression): boolean =>
    side.kind === "constant" && !Number.isNaN(side.value)
  // These instructions give their first operand where the comparison fails.
  if (isNumber(node.left)) f.get(right).get(left).op(pick)
  else {
    f.get(left).get(right).op(pick)
    // All ones is a NaN.
    if (!isNumber(node.right)) f.get(right).get(right).op("f32x4.ne").op("v128.or")
  }
}

/** Pushes the quotient or remainder by a power of two, where the dividend cannot be negative. */
const divideByPower = (emitter: Emitter, node: Ir.Binary, left: number): boolean => {
  const { f } = emitter
  if (node.right.kind !== "constant") return false
  const divisor = node.right.value
  if (divisor <= 0 || (divisor & (divisor - 1)) !== 0) return false
  if (node.left.dtype === "i32" && !nonNegative(node.left)) return false
  f.get(left)
  if (node.function === "remainder") f.i32x4(divisor - 1).op("v128.and")
  else f.i32(31 - Math.clz32(divisor)).op("i32x4.shr_u")
  return true
}

/** Pushes `node.function(left, right)`; `uniform` says that all lanes of `right` are equal. */
export const vectorBinary = (
  emitter: Emitter,
  node: Ir.Binary,
  left: number,
  right: number,
  uniform: boolean,
): void => {
  const { f } = emitter
  const dtype = node.left.dtype
  const name = node.function
  const direct = operationsOf(dtype)[name]
  if (direct !== undefined) {
    f.get(left).get(right).op(direct)
    return
  }
  switch (name) {
    case "maximum":
    case "minimum":
      extreme(emitter, node, left, right)
      return
    case "less":
      f.get(right).get(left).op("v128.andnot")
      return
    case "lessEqual":
      f.get(left).op("v128.not").get(right).op("v128.or")
      return
    case "power":
      if (dtype === "bool") {
        f.get(left).get(right).op("v128.not").op("v128.or")
        return
      }
      if (dtype === "i32" || dtype === "u32") {
        const helper = emitter.module.helper(`${dtype}.power`)
        perLane(emitter, "i32x4", left, right, () => f.call(helper))
        return
      }
      if (node.right.kind === "constant" && constantPower(emitter, left, node.right.value)) return
      f.get(Functions.power(new Lanes(emitter), left, right))
      return
    case "divide":
    case "remainder":
      if (dtype === "f32") {
        const helper = emitter.module.helper("f32.remainder")
        perLane(emitter, "f32x4", left, right, () => f.call(helper))
      } else if (dtype === "bool") unsupported(name, dtype)
      else if (!divideByPower(emitter, node, left))
        perLane(emitter, "i32x4", left, right, () => integerDivision(emitter, node))
      return
    case "shiftLeft":
    case "shiftRight": {
      if (dtype !== "i32" && dtype !== "u32") return unsupported(name, dtype)
      const kind = name === "shiftLeft" ? "shl" : dtype === "i32" ? "shr_s" : "shr_u"
      if (uniform) {
        f.get(left)
        if (node.right.kind === "constant") f.i32(node.right.value)
        else f.get(right).lane("i32x4.extract_lane", 0)
        f.op(`i32x4.${kind}`)
      } else perLane(emitter, "i32x4", left, right, () => f.op(`i32.${kind}`))
      return
    }
    default:
      unsupported(name, dtype)
  }
}

/** The dtype to convert from: codes that fit in 31 bits convert faster as signed integers. */
export const castSource = (node: Ir.Expression): DType => {
  if (node.dtype !== "u32" || node.kind !== "binary" || node.function !== "and") return node.dtype
  const small = [node.left, node.right].some(
    (side) => side.kind === "constant" && side.value >= 0 && side.value < 2 ** 31,
  )
  return small ? "i32" : "u32"
}

/** Pushes `x` converted from one dtype to another. */
export const vectorCast = (emitter: Emitter, from: DType, to: DType, x: number): void => {
  const { f } = emitter
  f.get(x)
  if (from === "bool") {
    if (to === "f32") f.f32x4(1).op("v128.and")
    else if (to !== "bool") f.i32x4(1).op("v128.and")
  } else if (to === "bool") {
    if (from === "f32") f.f32x4(0).op("f32x4.ne")
    else f.i32x4(0).op("i32x4.ne")
  } else if (from === "f32") {
    if (to === "i32") f.op("i32x4.trunc_sat_f32x4_s")
    else if (to === "u32") f.op("i32x4.trunc_sat_f32x4_u")
  } else if (to === "f32") {
    f.op(from === "i32" ? "f32x4.convert_i32x4_s" : "f32x4.convert_i32x4_u")
  }
}

/** Pushes the 32 bits of `x`; a `bool` is the integer 0 or 1. */
export const vectorBitcast = (emitter: Emitter, from: DType, to: DType, x: number): void => {
  emitter.f.get(x)
  if (from === "bool" && to !== "bool") emitter.f.i32x4(1).op("v128.and")
  else if (to === "bool" && from !== "bool") emitter.f.i32x4(0).op("i32x4.ne")
}
