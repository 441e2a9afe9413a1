import type { Expression } from "./expression.ts"
import { reachable } from "./expression.ts"
import type { Kernel, RowStage } from "./kernel.ts"
import { roots, variableExtents } from "./kernel.ts"

const literal = (value: number): string => (Object.is(value, -0) ? "-0" : String(value))

const operand = (node: Expression): string => {
  switch (node.kind) {
    case "constant":
      return `${literal(node.value)}${node.dtype === "f32" ? "" : `:${node.dtype}`}`
    case "variable":
      return `v${node.index}`
    case "argument":
      return `arg${node.slot}`
    default:
      return `%${node.id}`
  }
}

/** Text of one expression tree with its shared parts written out: short expressions only. */
export const printExpression = (node: Expression): string => {
  switch (node.kind) {
    case "load":
      return `$${node.operand}[${printExpression(node.index)}]`
    case "unary":
      return `${node.function}(${printExpression(node.operand)})`
    case "binary":
      return `${node.function}(${printExpression(node.left)}, ${printExpression(node.right)})`
    case "select":
      return `select(${printExpression(node.condition)}, ${printExpression(node.whenTrue)}, ${printExpression(node.whenFalse)})`
    case "cast":
    case "bitcast":
      return `${node.kind}<${node.dtype}>(${printExpression(node.operand)})`
    default:
      return operand(node)
  }
}

const line = (node: Expression, name: (node: Expression) => string): string => {
  switch (node.kind) {
    case "load":
      return `$${node.operand}[${name(node.index)}]`
    case "unary":
      return `${node.function} ${name(node.operand)}`
    case "binary":
      return `${node.function} ${name(node.left)} ${name(node.right)}`
    case "select":
      return `select ${name(node.condition)} ${name(node.whenTrue)} ${name(node.whenFalse)}`
    case "cast":
    case "bitcast":
      return `${node.kind} ${node.dtype} ${name(node.operand)}`
    default:
      return operand(node)
  }
}

/**
 * The whole kernel as text, one line an expression. Two kernels with the same text compute the same
 * thing, whatever buffers they are given: devices key their compiled code on it.
 */
export const printKernel = (kernel: Kernel): string => {
  const lines = [
    `${kernel.kind} ${variableExtents(kernel).join("x")}`,
    ...kernel.operands.map((o, i) => `$${i} ${o.access} ${o.dtype} ${o.length}`),
  ]
  if (kernel.kind === "custom") return [...lines, kernel.key, kernel.reference.hash].join("\n")
  const numbers = new Map<Expression, number>()
  const name = (node: Expression): string =>
    numbers.has(node) ? `%${numbers.get(node)}` : operand(node)
  const list = (expressions: ReadonlyArray<Expression>) => expressions.map(name).join(" ")
  const define = (expressions: ReadonlyArray<Expression>): void => {
    for (const node of reachable(expressions)) {
      if (node.kind === "constant" || node.kind === "variable" || node.kind === "argument") continue
      if (numbers.has(node)) continue
      lines.push(`%${numbers.size} ${node.dtype} = ${line(node, name)}`)
      numbers.set(node, numbers.size)
    }
  }
  const describe = (part: Exclude<Kernel, { readonly kind: "rows" | "custom" }> | RowStage) => {
    define(roots(part))
    switch (part.kind) {
      case "map":
        break
      case "reduce":
        lines.push(`reduce ${part.reduceLoops.join("x")} elements ${list(part.elements)}`)
        break
      case "scan":
        lines.push(`scan ${part.length} elements ${list(part.elements)}`)
        break
      case "contract":
        lines.push(
          `contract ${[...part.batch, part.m, part.n, part.k].join("x")} ${name(part.left)} ${name(part.right)}`,
        )
        break
      case "scatter":
        lines.push(
          `scatter ${part.mode} rows ${part.rows} initial ${part.initial ?? "zeros"} ${name(part.row)} ${name(part.value)}`,
        )
        break
    }
    if (part.kind === "reduce" || part.kind === "scan") {
      const { dtypes, identity, result } = part.combine
      lines.push(
        `combine ${dtypes.join(" ")} from ${identity.map(literal).join(" ")} ${list(result)}`,
      )
    }
    for (const output of part.outputs) lines.push(`store $${output.operand} ${name(output.value)}`)
  }
  if (kernel.kind === "rows") {
    kernel.locals.forEach(({ dtype, length }, i) =>
      lines.push(`$${kernel.operands.length + i} local ${dtype} ${length}`),
    )
    for (const stage of kernel.stages) {
      lines.push(`stage ${stage.kind} ${stage.loops.join("x")}`)
      describe(stage)
    }
  } else describe(kernel)
  return lines.join("\n")
}
