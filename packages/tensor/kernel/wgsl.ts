import type { DType } from "../dtype.ts"
import { isFloat } from "../dtype.ts"
import type { Expression } from "../ir/expression.ts"
import { children, reachable } from "../ir/expression.ts"
import type { HelperName } from "./wgsl_functions.ts"
import { functionText } from "./wgsl_functions.ts"
import { operationText, repeatsOperand } from "./wgsl_operations.ts"
import type { Binding, Frame } from "./wgsl_text.ts"
import { declareBindings, literal } from "./wgsl_text.ts"

export { declareBindings, literal, storageType, valueType } from "./wgsl_text.ts"
export type { Binding, Frame } from "./wgsl_text.ts"
export { functionText } from "./wgsl_functions.ts"
export type { HelperName } from "./wgsl_functions.ts"

/** Where an operand lies that is a variable of the shader: an array, or one value. */
export interface LocalPlace {
  readonly name: string
  /** Index of its first element, as text; `undefined` for a variable that is no array. */
  readonly start?: string
}

/** What a shader asks of the language beyond its core. */
const header = (text: ReadonlyArray<string>, half: boolean, subgroups: boolean): Array<string> => {
  const lines: Array<string> = []
  if (half || text.some((line) => line.includes("f16"))) lines.push("enable f16;")
  if (subgroups) {
    // All lanes of a workgroup take the same path here, which the compiler cannot see.
    lines.push(
      "enable subgroups;",
      "requires subgroup_id;",
      "diagnostic(off, subgroup_uniformity);",
    )
  }
  return lines
}

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
  readonly #operandShift: ReadonlyArray<number>
  readonly #locals = new Map<number, LocalPlace>()
  readonly #declarations: Array<string> = []
  readonly #lines: Array<string> = []
  readonly #functions = new Set<HelperName>()
  #indent = 1
  #names = 0
  #subgroups = false

  /**
   * `operandBinding[i]` is the binding that kernel operand `i` lives in, and `operandShift[i]` the
   * element of it where the operand begins.
   */
  constructor(
    bindings: ReadonlyArray<Binding>,
    operandBinding: ReadonlyArray<number>,
    operandShift: ReadonlyArray<number> = [],
  ) {
    this.bindings = bindings
    this.#operandBinding = operandBinding
    this.#operandShift = operandShift
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

  /**
   * Asks for subgroup operations. `lane` is then counted along subgroups: neighbours in it are
   * neighbours in their subgroup.
   */
  useSubgroups(): void {
    this.#subgroups = true
  }

  /** Says that kernel operand `operand` is a variable of the shader. */
  placeLocal(operand: number, place: LocalPlace): void {
    this.#locals.set(operand, place)
  }

  /** A constant, with infinities and NaN made from bits (WGSL refuses to write them). */
  literal(value: number, dtype: DType): string {
    if (!isFloat(dtype) || Number.isFinite(value)) return literal(value, dtype)
    const text = this.call("special", `${Number.isNaN(value) ? 2 : value > 0 ? 0 : 1}u`)
    return dtype === "f16" ? `f16(${text})` : text
  }

  /** A call of a helper function, which the shader then declares. */
  call(name: HelperName, ...operands: ReadonlyArray<string>): string {
    this.#functions.add(name)
    return `${name}(${operands.join(", ")})`
  }

  /** The name of the binding behind a kernel operand. */
  bindingOf(operand: number): string {
    return `b${this.#operandBinding[operand]}`
  }

  #place(operand: number, index: string): string {
    const shift = this.#operandShift[operand] ?? 0
    return shift === 0 ? index : `${index} + ${shift}`
  }

  #localElement({ name, start }: LocalPlace, index: string): string {
    if (start === undefined) return name
    return start === "0" ? `${name}[${index}]` : `${name}[${start} + ${index}]`
  }

  /** Stores `value` as element `position` of a kernel operand. */
  store(operand: number, position: string, value: string): void {
    const local = this.#locals.get(operand)
    if (local !== undefined) {
      this.line(`${this.#localElement(local, position)} = ${value};`)
      return
    }
    const binding = this.#operandBinding[operand]
    const stored = this.bindings[binding].dtype === "bool" ? `select(0u, 1u, ${value})` : value
    this.line(`b${binding}[${this.#place(operand, position)}] = ${stored};`)
  }

  /** Element `index` of a kernel operand, as a value. */
  element(operand: number, index: string): string {
    const local = this.#locals.get(operand)
    if (local !== undefined) return this.#localElement(local, index)
    const binding = this.#operandBinding[operand]
    const paged = this.bindings[binding].pageLength !== undefined
    const at = this.#place(operand, index)
    const text = paged ? `paged_b${binding}(${at})` : `b${binding}[${at}]`
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
      if (node.kind === "binary" && repeatsOperand(node)) count(node.left)
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
    const lane = this.#subgroups
      ? "@builtin(subgroup_id) subgroup: u32, @builtin(subgroup_size) subgroup_size: u32, " +
        "@builtin(subgroup_invocation_id) subgroup_lane: u32"
      : "@builtin(local_invocation_index) lane: u32"
    return [
      ...header([...this.#declarations, ...this.#lines], half, this.#subgroups),
      ...declareBindings(this.bindings),
      ...this.#declarations,
      ...functionText(this.#functions),
      `@compute @workgroup_size(${lanes})`,
      `fn main(@builtin(workgroup_id) group: vec3<u32>, ${lane}) {`,
      ...(this.#subgroups ? ["  let lane = subgroup * subgroup_size + subgroup_lane;"] : []),
      ...this.#lines,
      "}",
      "",
    ].join("\n")
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
    const text =
      node.kind === "load"
        ? this.element(node.operand, operands[0])
        : operationText((name, ...given) => this.call(name, ...given), node, operands)
    const named = node.kind === "load" || (uses.get(node) ?? 0) > 1 || text.length > 160
    if (!named) return text
    const name = this.#bind(text)
    frame.names.set(node, name)
    return name
  }
}
