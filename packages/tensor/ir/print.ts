import type { Expression } from "./expression.ts"
import { reachable } from "./expression.ts"
import type { Kernel } from "./kernel.ts"
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
  const nodes = reachable(roots(kernel))
  const numbers = new Map<Expression, number>()
  const name = (node: Expression): string =>
    numbers.has(node) ? `%${numbers.get(node)}` : operand(node)
  const lines = [
    `${kernel.kind} ${variableExtents(kernel).join("x")}`,
    ...kernel.operands.map((o, i) => `$${i} ${o.access} ${o.dtype} ${o.length}`),
  ]
  for (const node of nodes) {
    if (node.kind === "constant" || node.kind === "variable" || node.kind === "argument") continue
    lines.push(`%${numbers.size} ${node.dtype} = ${line(node, name)}`)
    numbers.set(node, numbers.size)
  }
  const list = (expressions: ReadonlyArray<Expression>) => expressions.map(name).join(" ")
  switch (kernel.kind) {
    case "map":
      break
    case "reduce":
      lines.push(`reduce ${kernel.reduceLoops.join("x")} elements ${list(kernel.elements)}`)
      break
    case "scan":
      lines.push(`scan ${kernel.length} elements ${list(kernel.elements)}`)
      break
    case "contract":
      lines.push(
        `contract ${[...kernel.batch, kernel.m, kernel.n, kernel.k].join("x")} ${name(kernel.left)} ${name(kernel.right)}`,
      )
      break
    case "scatter":
      lines.push(
        `scatter ${kernel.mode} rows ${kernel.rows} initial ${kernel.initial ?? "zeros"} ${name(kernel.row)} ${name(kernel.value)}`,
      )
      break
  }
  if (kernel.kind === "reduce" || kernel.kind === "scan") {
    const { dtypes, identity, result } = kernel.combine
    lines.push(
      `combine ${dtypes.join(" ")} from ${identity.map(literal).join(" ")} ${list(result)}`,
    )
  }
  for (const output of kernel.outputs) lines.push(`store $${output.operand} ${name(output.value)}`)
  return lines.join("\n")
}
