import type { DType } from "../dtype.ts"
import { isFloat } from "../dtype.ts"
import type { Binary, Expression, Unary } from "../ir/expression.ts"
import type { HelperName } from "./wgsl_functions.ts"
import { literal, valueType } from "./wgsl_text.ts"

/** The text of a call of a helper function, which the shader then declares. */
export type Call = (name: HelperName, ...operands: ReadonlyArray<string>) => string

const symbols: Partial<Record<Binary["function"], string>> = {
  add: "+",
  subtract: "-",
  multiply: "*",
  divide: "/",
  equal: "==",
  notEqual: "!=",
  less: "<",
  lessEqual: "<=",
}

const portable: ReadonlySet<string> = new Set(["exp", "log", "sin", "cos", "tanh", "erf"])

const unary = (call: Call, { function: name, dtype }: Unary, x: string): string => {
  if (portable.has(name)) {
    const helper = `${name}_f32` as HelperName
    return dtype === "f16" ? `f16(${call(helper, `f32(${x})`)})` : call(helper, x)
  }
  switch (name) {
    case "negate":
      return dtype === "u32" ? `(0u - ${x})` : dtype === "bool" ? x : `(-${x})`
    case "absolute":
      return dtype === "bool" ? x : `abs(${x})`
    case "sign":
      return dtype === "u32" ? `min(${x}, 1u)` : dtype === "bool" ? x : `sign(${x})`
    case "floor":
    case "ceil":
    case "round":
      return isFloat(dtype) ? `${name}(${x})` : x
    case "truncate":
      return isFloat(dtype) ? `trunc(${x})` : x
    case "not":
      return dtype === "bool" ? `(!${x})` : `(~${x})`
    default:
      return `${name}(${x})`
  }
}

const logic = (name: Binary["function"], a: string, b: string): string => {
  switch (name) {
    case "equal":
      return `(${a} == ${b})`
    case "notEqual":
    case "xor":
    case "subtract":
      return `(${a} != ${b})`
    case "less":
      return `(!${a} & ${b})`
    case "lessEqual":
    case "power":
      return name === "power" ? `(${a} | !${b})` : `(!${a} | ${b})`
    case "and":
    case "multiply":
    case "minimum":
      return `(${a} & ${b})`
    case "or":
    case "add":
    case "maximum":
      return `(${a} | ${b})`
    default:
      throw new Error(`${name} of bool has no meaning`)
  }
}

const power = (call: Call, { left, right }: Binary, a: string, b: string): string => {
  if (left.dtype === "u32") return call("power_u32", a, b)
  if (left.dtype === "i32") return call("power_i32", a, b)
  const one = literal(1, left.dtype)
  switch (right.kind === "constant" ? right.value : undefined) {
    case 2:
      return `(${a} * ${a})`
    case 3:
      return `(${a} * ${a} * ${a})`
    case 0.5:
      return `sqrt(${a})`
    case -1:
      return `(${one} / ${a})`
    case -0.5:
      return `(${one} / sqrt(${a}))`
    default:
  }
  if (left.dtype === "f16") return `f16(${call("power_f32", `f32(${a})`, `f32(${b})`)})`
  return call("power_f32", a, b)
}

const binary = (call: Call, node: Binary, a: string, b: string): string => {
  const { function: name, left, right } = node
  const { dtype } = left
  if (dtype === "bool") return logic(name, a, b)
  const float = isFloat(dtype)
  const wide = (text: string) => (dtype === "f16" ? `f32(${text})` : text)
  const narrow = (text: string) => (dtype === "f16" ? `f16(${text})` : text)
  const divisor = right.kind === "constant" && right.value !== 0
  switch (name) {
    case "equal":
    case "notEqual":
      // Drivers may assume that x == x. A bit test survives.
      if (left === right && float) {
        const test = call("is_nan", wide(a))
        return name === "equal" ? `(!${test})` : test
      }
      return `(${a} ${symbols[name]} ${b})`
    case "divide":
      if (float || (divisor && right.value > 0)) return `(${a} / ${b})`
      return call(dtype === "u32" ? "divide_u32" : "divide_i32", a, b)
    case "remainder":
      if (float) return narrow(call("remainder_f32", wide(a), wide(b)))
      if (divisor && right.value > 0) return `(${a} % ${b})`
      return call(dtype === "u32" ? "remainder_u32" : "remainder_i32", a, b)
    case "maximum":
    case "minimum":
      if (float) return narrow(call(`${name}_f32`, wide(a), wide(b)))
      return `${name === "maximum" ? "max" : "min"}(${a}, ${b})`
    case "power":
      return power(call, node, a, b)
    case "and":
      return `(${a} & ${b})`
    case "or":
      return `(${a} | ${b})`
    case "xor":
      return `(${a} ^ ${b})`
    case "shiftLeft":
    case "shiftRight": {
      const count = right.kind === "constant" ? `${right.value & 31}u` : `(u32(${b}) & 31u)`
      return `(${a} ${name === "shiftLeft" ? "<<" : ">>"} ${count})`
    }
    default:
      return `(${a} ${symbols[name]} ${b})`
  }
}

const cast = (call: Call, from: DType, to: DType, x: string): string => {
  if (to === "bool") return `(${x} != ${literal(0, from)})`
  if (isFloat(from) && (to === "i32" || to === "u32")) {
    return call(to === "i32" ? "to_i32" : "to_u32", from === "f16" ? `f32(${x})` : x)
  }
  if (from === "f32" && to === "f16") return call("round_f16", x)
  return `${valueType(to)}(${x})`
}

const bitcast = (from: DType, to: DType, x: string): string => {
  const bits = from === "bool" ? `select(0u, 1u, ${x})` : from === "f16" ? `f32(${x})` : x
  if (to === "bool") return `(bitcast<u32>(${bits}) != 0u)`
  return to === "f16" ? `f16(bitcast<f32>(${bits}))` : `bitcast<${valueType(to)}>(${bits})`
}

/** True where the text of the left operand appears twice, so that it deserves a name. */
export const repeatsOperand = ({ function: name, left, right }: Binary): boolean =>
  name === "power" && isFloat(left.dtype) && right.kind === "constant"

/** An operation on the texts of its operands. */
export const operationText = (
  call: Call,
  node: Expression,
  operands: ReadonlyArray<string>,
): string => {
  const [a, b, c] = operands as [string, string, string]
  switch (node.kind) {
    case "unary":
      return unary(call, node, a)
    case "binary":
      return binary(call, node, a, b)
    case "select":
      return `select(${c}, ${b}, ${a})`
    case "cast":
      return cast(call, node.operand.dtype, node.dtype, a)
    case "bitcast":
      return bitcast(node.operand.dtype, node.dtype, a)
    default:
      return a
  }
}
