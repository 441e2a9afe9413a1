import type { DType } from "./dtype.ts"
import { isFloat } from "./dtype.ts"
import type { Expression } from "./ir/expression.ts"
import { reachable } from "./ir/expression.ts"
import type { Combine, Kernel, Output, RowsKernel } from "./ir/kernel.ts"
import { stageExtents, variableExtents } from "./ir/kernel.ts"

/**
 * Kernel IR as the source text of a JavaScript function of `buffers` (one typed array an operand)
 * and `scalar` (the functions of `evaluate_scalar.ts`). One loop nest a kernel, nothing clever.
 */

const number = (value: number): string =>
  Object.is(value, -0) ? "-0" : Number.isNaN(value) ? "NaN" : String(value)

const wrapped = (dtype: DType, text: string): string =>
  dtype === "i32" ? `(${text} | 0)` : dtype === "u32" ? `(${text} >>> 0)` : `(${text})`

const symbols: Readonly<Record<string, string>> = {
  add: "+",
  subtract: "-",
  divide: "/",
  multiply: "*",
  less: "<",
  lessEqual: "<=",
  equal: "===",
  notEqual: "!==",
}
const math: Readonly<Record<string, string>> = {
  absolute: "abs",
  sign: "sign",
  floor: "floor",
  ceil: "ceil",
  truncate: "trunc",
  sqrt: "sqrt",
  exp: "exp",
  log: "log",
  sin: "sin",
  cos: "cos",
  tanh: "tanh",
}

const name = (node: Expression): string => {
  switch (node.kind) {
    case "constant":
      return `(${number(node.value)})`
    case "variable":
      return `v${node.index}`
    case "argument":
      return `a${node.slot}`
    default:
      return `t${node.id}`
  }
}

const text = (node: Expression): string => {
  switch (node.kind) {
    case "load":
      return `b${node.operand}[${name(node.index)}]`
    case "unary": {
      const operand = name(node.operand)
      if (node.function === "negate") return wrapped(node.dtype, `-${operand}`)
      const known = math[node.function]
      if (known !== undefined) return `Math.${known}(${operand})`
      return `scalar.unary("${node.function}", "${node.dtype}", ${operand})`
    }
    case "binary": {
      const [left, right] = [name(node.left), name(node.right)]
      const { dtype } = node.left
      const symbol = symbols[node.function]
      if (node.dtype === "bool" && symbol !== undefined)
        return `(${left} ${symbol} ${right} ? 1 : 0)`
      if (symbol !== undefined && isFloat(dtype)) return `${left} ${symbol} ${right}`
      if (symbol !== undefined && node.function !== "multiply" && node.function !== "divide") {
        return wrapped(dtype, `${left} ${symbol} ${right}`)
      }
      if (dtype === "i32" && node.function === "multiply") return `Math.imul(${left}, ${right})`
      if (dtype === "i32" && node.right.kind === "constant" && node.right.value > 0) {
        if (node.function === "divide") return `(${left} / ${right} | 0)`
        if (node.function === "remainder") return `(${left} % ${right})`
      }
      return `scalar.binary("${node.function}", "${dtype}", ${left}, ${right})`
    }
    case "select":
      return `(${name(node.condition)} ? ${name(node.whenTrue)} : ${name(node.whenFalse)})`
    case "cast": {
      const { dtype } = node.operand
      if (isFloat(node.dtype)) return name(node.operand)
      return `scalar.cast("${dtype}", "${node.dtype}", ${name(node.operand)})`
    }
    case "bitcast":
      return `scalar.bitcast("${node.operand.dtype}", "${node.dtype}", ${name(node.operand)})`
    default:
      return name(node)
  }
}

class Code {
  readonly #lines: Array<string> = []
  readonly #defined: Array<Set<number>> = [new Set()]
  line(line: string): void {
    this.#lines.push("  ".repeat(this.#defined.length - 1) + line)
  }
  open(line: string): void {
    this.line(`${line} {`)
    this.#defined.push(new Set())
  }
  close(count = 1): void {
    for (let i = 0; i < count; i++) {
      this.#defined.pop()
      this.line("}")
    }
  }
  loop(variable: number, extent: number): void {
    this.open(`for (let v${variable} = 0; v${variable} < ${extent}; v${variable}++)`)
  }
  /** Defines everything `expression` needs that is not yet defined here, and names it. */
  value(expression: Expression): string {
    for (const node of reachable([expression])) {
      const simple =
        node.kind === "constant" || node.kind === "variable" || node.kind === "argument"
      if (simple || this.#defined.some((ids) => ids.has(node.id))) continue
      this.#defined.at(-1)!.add(node.id)
      this.line(`const t${node.id} = ${text(node)}`)
    }
    return name(expression)
  }
  toString(): string {
    return this.#lines.join("\n")
  }
}

const store = (
  code: Code,
  kernel: { readonly outputs: ReadonlyArray<Output> },
  position: string,
): void => {
  for (const output of kernel.outputs) {
    const value = code.value(output.value)
    code.line(`b${output.operand}[${position}] = ${value}`)
  }
}

/** Replaces the accumulators `acc0 …` by their combination with `elements`. */
const accumulate = (code: Code, combine: Combine, elements: ReadonlyArray<string>): void => {
  const count = combine.dtypes.length
  code.open("")
  combine.dtypes.forEach((_, i) => {
    code.line(`const a${i} = acc${i}`)
    code.line(`const a${count + i} = ${elements[i]}`)
  })
  const results = combine.result.map((result) => code.value(result))
  results.forEach((result, i) => code.line(`acc${i} = ${result}`))
  code.close()
}

const start = (code: Code, combine: Combine): void =>
  combine.identity.forEach((value, i) => code.line(`let acc${i} = ${number(value)}`))
const finish = (code: Code, combine: Combine): void =>
  combine.dtypes.forEach((_, i) => code.line(`const a${i} = acc${i}`))

/** The row-major position of the variables `first …` in `extents`. */
const position = (extents: ReadonlyArray<number>, first = 0): string =>
  extents.reduce(
    (text, extent, i) => (i === 0 ? `v${first}` : `(${text}) * ${extent} + v${first + i}`),
    "0",
  )

/** Locals are plain arrays: nobody else sees them. */
const rows = (code: Code, kernel: RowsKernel): void => {
  const { loops, locals, operands, stages } = kernel
  locals.forEach(({ length }, i) =>
    code.line(`const b${operands.length + i} = new Float64Array(${length})`),
  )
  loops.forEach((extent, i) => code.loop(i, extent))
  for (const stage of stages) {
    code.open("")
    const extents = stageExtents(kernel, stage)
    const outer = loops.length + stage.loops.length
    for (let i = loops.length; i < outer; i++) code.loop(i, extents[i])
    if (stage.kind === "reduce") {
      start(code, stage.combine)
      for (let i = outer; i < extents.length; i++) code.loop(i, extents[i])
      const elements = stage.elements.map((element) => code.value(element))
      accumulate(code, stage.combine, elements)
      code.close(extents.length - outer)
      finish(code, stage.combine)
    }
    for (const { operand, value } of stage.outputs) {
      const text = code.value(value)
      const at =
        operand < operands.length
          ? position(extents.slice(0, outer))
          : position(stage.loops, loops.length)
      code.line(`b${operand}[${at}] = ${text}`)
    }
    code.close(stage.loops.length + 1)
  }
  code.close(loops.length)
}

/** The body of `(buffers, scalar) => void`. */
export const kernelToJavaScript = (kernel: Kernel): string => {
  const code = new Code()
  kernel.operands.forEach((_, i) => code.line(`const b${i} = buffers[${i}]`))
  const extents = variableExtents(kernel)
  const open = (from: number, to: number): void => {
    for (let i = from; i < to; i++) code.loop(i, extents[i])
  }
  switch (kernel.kind) {
    case "map": {
      open(0, extents.length)
      store(code, kernel, position(extents))
      code.close(extents.length)
      break
    }
    case "reduce": {
      const outer = kernel.loops.length
      open(0, outer)
      start(code, kernel.combine)
      open(outer, extents.length)
      accumulate(
        code,
        kernel.combine,
        kernel.elements.map((element) => code.value(element)),
      )
      code.close(extents.length - outer)
      finish(code, kernel.combine)
      store(code, kernel, position(kernel.loops))
      code.close(outer)
      break
    }
    case "scan": {
      const outer = kernel.loops.length
      open(0, outer)
      start(code, kernel.combine)
      open(outer, outer + 1)
      accumulate(
        code,
        kernel.combine,
        kernel.elements.map((element) => code.value(element)),
      )
      finish(code, kernel.combine)
      store(code, kernel, position(extents))
      code.close(outer + 1)
      break
    }
    case "contract": {
      const rank = kernel.batch.length + 2
      open(0, rank - 1)
      code.loop(rank - 1, kernel.n)
      code.line("let acc0 = 0")
      code.loop(rank, kernel.k)
      code.line(`acc0 += ${code.value(kernel.left)} * ${code.value(kernel.right)}`)
      code.close()
      code.line("const a0 = acc0")
      store(code, kernel, position(extents.slice(0, rank)))
      code.close(rank)
      break
    }
    case "scatter": {
      const output = `b${kernel.outputs[0].operand}`
      if (kernel.initial === undefined) code.line(`${output}.fill(0)`)
      else code.line(`if (${output} !== b${kernel.initial}) ${output}.set(b${kernel.initial})`)
      open(0, 1)
      const row = code.value(kernel.row)
      code.line(`if (${row} < 0 || ${row} >= ${kernel.rows}) continue`)
      open(1, 2)
      const value = code.value(kernel.value)
      const assign = kernel.mode === "add" ? "+=" : "="
      code.line(`${output}[${row} * ${kernel.inner} + v1] ${assign} ${value}`)
      code.close(2)
      break
    }
    case "rows":
      rows(code, kernel)
      break
    case "custom":
      throw new Error(`${kernel.name} is expanded before it is interpreted`)
  }
  return code.toString()
}
