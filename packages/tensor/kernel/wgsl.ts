import type { DType } from "../dtype.ts"
import type { Binary, Expression, Unary } from "../ir/expression.ts"
import { children, reachable } from "../ir/expression.ts"
import type { HelperName } from "./wgsl_functions.ts"
import { functionText } from "./wgsl_functions.ts"

/** A storage binding of a kernel, in the order of its `@binding` numbers. */
export interface Binding {
  readonly dtype: DType
  /** Number of elements. */
  readonly length: number
  readonly access: "read" | "read_write"
  /** Elements lie in memory as `vec4`; the kernel divides indices by four itself. */
  readonly vector?: boolean
}

/**
 * What loop variables and arguments are called at one place of a kernel, and which expressions
 * already have a name there. Names of an outer frame hold in its inner ones.
 */
export interface Frame {
  readonly variables: ReadonlyArray<string>
  readonly arguments: ReadonlyArray<string>
  readonly names: Map<Expression, string>
}

/** WGSL type of a value. Comparisons need no conversion: `bool` is `bool` in registers. */
export const valueType = (dtype: DType): string => {
  if (dtype === "f64") throw new Error("WGSL has no f64")
  return dtype
}

/** WGSL type of an element in memory: `bool` is stored as `u32`. */
export const storageType = (dtype: DType): string => (dtype === "bool" ? "u32" : valueType(dtype))

const arrayType = ({ dtype, length, vector }: Binding): string =>
  vector === true
    ? `array<vec4<${storageType(dtype)}>, ${length / 4}>`
    : `array<${storageType(dtype)}, ${Math.max(1, length)}>`

const floatDigits = (value: number): string => {
  const digits = String(value)
  return /[.e]/.test(digits) ? digits : `${digits}.0`
}

/** A constant as WGSL text; infinities and NaN come from {@link Writer.literal}. */
export const literal = (value: number, dtype: DType): string => {
  switch (dtype) {
    case "bool":
      return value === 0 ? "false" : "true"
    case "i32":
      return value === -2147483648 ? "i32(-2147483648)" : value < 0 ? `(${value})` : `${value}`
    case "u32":
      return `${value}u`
    default: {
      if (Object.is(value, -0)) return dtype === "f16" ? "f16(-0.0h)" : "bitcast<f32>(0x80000000u)"
      const limit = dtype === "f16" ? 65504 : 3.4028234663852886e38
      const kept = Math.fround(Math.min(limit, Math.max(-limit, value))) === 0 ? 0 : value
      const text = floatDigits(Math.min(limit, Math.max(-limit, kept)))
      const suffixed = `${text}${dtype === "f16" ? "h" : "f"}`
      return value < 0 ? `(${suffixed})` : suffixed
    }
  }
}

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
const isFloat = (dtype: DType) => dtype === "f32" || dtype === "f16"

/**
 * Writes one compute shader: collects statements, names shared expressions, and remembers which
 * functions the expressions call. Pure text; devices add nothing to it.
 *
 * @example
 * ```ts
 * const writer = new WgslBuilder.Writer([{ dtype: "f32", length: 4, access: "read_write" }], [0])
 * writer.line("b0[lane] = 1.0f;")
 * const code = writer.shader(4)
 * ```
 */
export class Writer {
  readonly bindings: ReadonlyArray<Binding>
  readonly #operandBinding: ReadonlyArray<number>
  readonly #declarations: Array<string> = []
  readonly #lines: Array<string> = []
  readonly #functions = new Set<HelperName>()
  #indent = 1
  #names = 0

  /** `operandBinding[i]` is the binding that kernel operand `i` lives in. */
  constructor(bindings: ReadonlyArray<Binding>, operandBinding: ReadonlyArray<number>) {
    this.bindings = bindings
    this.#operandBinding = operandBinding
  }

  /** Adds a statement. */
  line(text: string): void {
    this.#lines.push("  ".repeat(this.#indent) + text)
  }

  /** Adds `header { body }`. */
  block(header: string, body: () => void): void {
    this.line(`${header} {`)
    this.#indent++
    body()
    this.#indent--
    this.line("}")
  }

  /** Adds a declaration at module scope: workgroup memory, mostly. */
  declare(text: string): void {
    this.#declarations.push(text)
  }

  /** A name that nothing else in this shader has. */
  name(prefix: string): string {
    return `${prefix}${this.#names++}`
  }

  /** A constant, with infinities and NaN made from bits (WGSL refuses to write them). */
  literal(value: number, dtype: DType): string {
    if (!isFloat(dtype) || Number.isFinite(value)) return literal(value, dtype)
    this.#functions.add("special")
    const text = `special(${Number.isNaN(value) ? 2 : value > 0 ? 0 : 1}u)`
    return dtype === "f16" ? `f16(${text})` : text
  }

  /** The name of the binding behind a kernel operand. */
  bindingOf(operand: number): string {
    return `b${this.#operandBinding[operand]}`
  }

  /** Stores `value` as element `position` of a kernel operand. */
  store(operand: number, position: string, value: string): void {
    const binding = this.#operandBinding[operand]
    const stored = this.bindings[binding].dtype === "bool" ? `select(0u, 1u, ${value})` : value
    this.line(`b${binding}[${position}] = ${stored};`)
  }

  /** Element `index` of a kernel operand, as a value. */
  element(operand: number, index: string): string {
    const binding = this.#operandBinding[operand]
    const text = `b${binding}[${index}]`
    return this.bindings[binding].dtype === "bool" ? `(${text} != 0u)` : text
  }

  /**
   * Writes what `roots` need and answers their texts. Loads, and what is used twice, get a name;
   * the rest is written in place.
   */
  evaluate(frame: Frame, roots: ReadonlyArray<Expression>): ReadonlyArray<string> {
    const uses = new Map<Expression, number>()
    const count = (node: Expression) => uses.set(node, (uses.get(node) ?? 0) + 1)
    roots.forEach(count)
    for (const node of reachable(roots)) {
      children(node).forEach(count)
      if (node.kind === "binary" && this.#repeatsOperand(node)) count(node.left)
    }
    return roots.map((root) => this.#text(frame, root, uses))
  }

  /**
   * Writes those parts of `roots` that do not depend on the variables `inner` or on arguments
   * (loop invariants), so that a frame made from this one finds them ready.
   */
  hoist(frame: Frame, roots: ReadonlyArray<Expression>, inner: ReadonlySet<number>): void {
    const varying = new Set<Expression>()
    const invariant = new Set<Expression>()
    for (const node of reachable(roots)) {
      const operands = children(node)
      const varies =
        node.kind === "argument" ||
        (node.kind === "variable" && inner.has(node.index)) ||
        operands.some((operand) => varying.has(operand))
      if (!varies) continue
      varying.add(node)
      for (const operand of operands) if (!varying.has(operand)) invariant.add(operand)
    }
    for (const root of roots) if (!varying.has(root)) invariant.add(root)
    for (const node of invariant) {
      if (children(node).length === 0 || frame.names.has(node)) continue
      const [text] = this.evaluate(frame, [node])
      frame.names.set(node, this.#bind(text))
    }
  }

  /** The whole shader, with an entry point `main` of `lanes` invocations a workgroup. */
  shader(lanes: number): string {
    const half = this.bindings.some((binding) => binding.dtype === "f16")
    return [
      ...(half || this.#lines.some((line) => line.includes("f16")) ? ["enable f16;"] : []),
      ...this.bindings.map(
        (binding, index) =>
          `@group(0) @binding(${index}) var<storage, ${binding.access}> b${index}: ${arrayType(binding)};`,
      ),
      ...this.#declarations,
      ...functionText(this.#functions),
      `@compute @workgroup_size(${lanes})`,
      "fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {",
      ...this.#lines,
      "}",
      "",
    ].join("\n")
  }

  #call(name: HelperName, ...operands: ReadonlyArray<string>): string {
    this.#functions.add(name)
    return `${name}(${operands.join(", ")})`
  }

  #bind(text: string): string {
    const name = this.name("e")
    this.line(`let ${name} = ${text};`)
    return name
  }

  #text(frame: Frame, node: Expression, uses: ReadonlyMap<Expression, number>): string {
    switch (node.kind) {
      case "constant":
        return this.literal(node.value, node.dtype)
      case "variable":
        return frame.variables[node.index]
      case "argument":
        return frame.arguments[node.slot]
      default:
    }
    const known = frame.names.get(node)
    if (known !== undefined) return known
    const operands = children(node).map((child) => this.#text(frame, child, uses))
    const text = this.#operation(node, operands)
    const named = node.kind === "load" || (uses.get(node) ?? 0) > 1 || text.length > 160
    if (!named) return text
    const name = this.#bind(text)
    frame.names.set(node, name)
    return name
  }

  #operation(node: Expression, operands: ReadonlyArray<string>): string {
    const [a, b, c] = operands as [string, string, string]
    switch (node.kind) {
      case "load":
        return this.element(node.operand, a)
      case "unary":
        return this.#unary(node, a)
      case "binary":
        return this.#binary(node, a, b)
      case "select":
        return `select(${c}, ${b}, ${a})`
      case "cast":
        return this.#cast(node.operand.dtype, node.dtype, a)
      case "bitcast":
        return this.#bitcast(node.operand.dtype, node.dtype, a)
      default:
        return a
    }
  }

  #unary({ function: name, dtype }: Unary, x: string): string {
    if (portable.has(name)) {
      const call = `${name}_f32` as HelperName
      return dtype === "f16" ? `f16(${this.#call(call, `f32(${x})`)})` : this.#call(call, x)
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

  /** True where the text of the left operand appears twice, so that it deserves a name. */
  #repeatsOperand({ function: name, left, right }: Binary): boolean {
    return name === "power" && isFloat(left.dtype) && right.kind === "constant"
  }

  #binary(node: Binary, a: string, b: string): string {
    const { function: name, left, right } = node
    const dtype = left.dtype
    if (dtype === "bool") return this.#logic(name, a, b)
    const float = isFloat(dtype)
    const wide = (text: string) => (dtype === "f16" ? `f32(${text})` : text)
    const narrow = (text: string) => (dtype === "f16" ? `f16(${text})` : text)
    const divisor = right.kind === "constant" && right.value !== 0
    switch (name) {
      case "equal":
      case "notEqual":
        // Drivers may assume that x == x. A bit test survives.
        if (left === right && float) {
          const test = this.#call("is_nan", wide(a))
          return name === "equal" ? `(!${test})` : test
        }
        return `(${a} ${symbols[name]} ${b})`
      case "divide":
        if (float || (divisor && right.value > 0)) return `(${a} / ${b})`
        return this.#call(dtype === "u32" ? "divide_u32" : "divide_i32", a, b)
      case "remainder":
        if (float) return narrow(this.#call("remainder_f32", wide(a), wide(b)))
        if (divisor && right.value > 0) return `(${a} % ${b})`
        return this.#call(dtype === "u32" ? "remainder_u32" : "remainder_i32", a, b)
      case "maximum":
      case "minimum":
        if (float) return narrow(this.#call(`${name}_f32`, wide(a), wide(b)))
        return `${name === "maximum" ? "max" : "min"}(${a}, ${b})`
      case "power":
        return this.#power(node, a, b)
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

  #power({ left, right }: Binary, a: string, b: string): string {
    if (left.dtype === "u32") return this.#call("power_u32", a, b)
    if (left.dtype === "i32") return this.#call("power_i32", a, b)
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
    if (left.dtype === "f16") return `f16(${this.#call("power_f32", `f32(${a})`, `f32(${b})`)})`
    return this.#call("power_f32", a, b)
  }

  #logic(name: Binary["function"], a: string, b: string): string {
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

  #cast(from: DType, to: DType, x: string): string {
    if (to === "bool") return `(${x} != ${literal(0, from)})`
    if (isFloat(from) && (to === "i32" || to === "u32")) {
      return this.#call(to === "i32" ? "to_i32" : "to_u32", from === "f16" ? `f32(${x})` : x)
    }
    return `${valueType(to)}(${x})`
  }

  #bitcast(from: DType, to: DType, x: string): string {
    const bits = from === "bool" ? `select(0u, 1u, ${x})` : from === "f16" ? `f32(${x})` : x
    if (to === "bool") return `(bitcast<u32>(${bits}) != 0u)`
    return to === "f16" ? `f16(bitcast<f32>(${bits}))` : `bitcast<${valueType(to)}>(${bits})`
  }
}
