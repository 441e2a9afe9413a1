import type { DType, Ir } from "@espalier/tensor"
import { nonNegative } from "./dependencies.ts"
import type { Emitter } from "./emitter.ts"

const integers: ReadonlySet<DType> = new Set(["i32", "u32", "bool"])

const functions: ReadonlySet<Ir.BinaryFunction> = new Set([
  "add",
  "subtract",
  "multiply",
  "divide",
  "remainder",
  "maximum",
  "minimum",
  "and",
  "or",
  "xor",
  "shiftLeft",
  "shiftRight",
  "equal",
  "notEqual",
  "less",
  "lessEqual",
])

/** True for the integer expressions that have scalar code; others go through a vector. */
export const scalarSupports = (node: Ir.Expression): boolean => {
  if (!integers.has(node.dtype)) return false
  switch (node.kind) {
    case "constant":
    case "variable":
    case "load":
    case "select":
      return true
    case "binary":
      return (
        functions.has(node.function) && (node.left.dtype === "i32" || node.left.dtype === "u32")
      )
    case "cast":
      return integers.has(node.operand.dtype)
    default:
      return false
  }
}

/** Divides the two integers on the stack: leaves the quotient or the remainder. */
export const integerDivision = (emitter: Emitter, node: Ir.Binary): void => {
  const { f } = emitter
  const { left, right } = node
  const signed = left.dtype === "i32"
  const quotient = node.function === "divide"
  if (right.kind === "constant" && right.value !== 0 && right.value !== -1) {
    const divisor = right.value
    const power = divisor > 0 && (divisor & (divisor - 1)) === 0
    // A literal divisor lets the engine multiply instead of dividing.
    f.op("drop")
    if (power && (!signed || nonNegative(left))) {
      if (quotient) f.i32(31 - Math.clz32(divisor)).op("i32.shr_u")
      else f.i32(divisor - 1).op("i32.and")
    } else if (signed) f.i32(divisor).op(quotient ? "i32.div_s" : "i32.rem_s")
    else f.i32(divisor).op(quotient ? "i32.div_u" : "i32.rem_u")
    return
  }
  f.call(emitter.module.helper(`${signed ? "i32" : "u32"}.${quotient ? "divide" : "remainder"}`))
}

/** Pushes the result of a binary function of two integer locals. */
export const scalarBinary = (
  emitter: Emitter,
  node: Ir.Binary,
  left: number,
  right: number,
): void => {
  const { f } = emitter
  const signed = node.left.dtype === "i32"
  f.get(left).get(right)
  switch (node.function) {
    case "add":
      f.op("i32.add")
      break
    case "subtract":
      f.op("i32.sub")
      break
    case "multiply":
      f.op("i32.mul")
      break
    case "divide":
    case "remainder":
      integerDivision(emitter, node)
      break
    case "maximum":
      f.get(left)
        .get(right)
        .op(signed ? "i32.gt_s" : "i32.gt_u")
        .op("select")
      break
    case "minimum":
      f.get(left)
        .get(right)
        .op(signed ? "i32.lt_s" : "i32.lt_u")
        .op("select")
      break
    case "and":
      f.op("i32.and")
      break
    case "or":
      f.op("i32.or")
      break
    case "xor":
      f.op("i32.xor")
      break
    case "shiftLeft":
      f.op("i32.shl")
      break
    case "shiftRight":
      f.op(signed ? "i32.shr_s" : "i32.shr_u")
      break
    case "equal":
      f.op("i32.eq")
      break
    case "notEqual":
      f.op("i32.ne")
      break
    case "less":
      f.op(signed ? "i32.lt_s" : "i32.lt_u")
      break
    case "lessEqual":
      f.op(signed ? "i32.le_s" : "i32.le_u")
      break
    default:
      throw new Error(`no scalar code for ${node.function}`)
  }
}

/** Pushes an integer local as another integer type. */
export const scalarCast = (emitter: Emitter, to: DType, operand: number): void => {
  emitter.f.get(operand)
  if (to === "bool") emitter.f.i32(0).op("i32.ne")
}
