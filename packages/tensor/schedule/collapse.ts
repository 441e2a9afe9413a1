import type { Expression } from "../ir/expression.ts"
import { reachable } from "../ir/expression.ts"
import { ExpressionBuilder } from "../ir/expression_builder.ts"
import type { Kernel } from "../ir/kernel.ts"
import { roots, variableExtents } from "../ir/kernel.ts"
import { rewrite } from "../ir/rewrite.ts"

/** A run of loops of one kernel; merging never crosses a group's border. */
type Groups = ReadonlyArray<ReadonlyArray<number>>

const groupsOf = (kernel: Kernel): Groups | undefined => {
  switch (kernel.kind) {
    case "map":
      return [kernel.loops]
    case "reduce":
      return [kernel.loops, kernel.reduceLoops]
    case "scan":
      return [kernel.loops, [kernel.length]]
    case "contract":
      return [kernel.batch, [kernel.m], [kernel.n], [kernel.k]]
    case "scatter":
      return undefined
  }
}

/** Divisions and remainders left in a kernel: what a merge must not add to. */
const divisions = (expressions: ReadonlyArray<Expression>): number =>
  reachable(expressions).filter(
    (node) =>
      node.kind === "binary" && (node.function === "divide" || node.function === "remainder"),
  ).length

/** Rebuilds a kernel with each old variable replaced by an expression over the new ones. */
const substitute = (
  kernel: Kernel,
  groups: Groups,
  variable: (builder: ExpressionBuilder, index: number) => Expression,
): Kernel => {
  const builder = new ExpressionBuilder()
  const convert = rewrite(builder, (node) =>
    node.kind === "variable" ? variable(builder, node.index) : undefined,
  )
  const outputs = kernel.outputs.map(({ operand, value }) => ({ operand, value: convert(value) }))
  switch (kernel.kind) {
    case "map":
      return { ...kernel, loops: groups[0], outputs }
    case "reduce":
    case "scan": {
      const elements = kernel.elements.map(convert)
      const combine = { ...kernel.combine, result: kernel.combine.result.map(convert) }
      return kernel.kind === "reduce"
        ? { ...kernel, loops: groups[0], reduceLoops: groups[1], elements, combine, outputs }
        : { ...kernel, loops: groups[0], elements, combine, outputs }
    }
    case "contract":
      return {
        ...kernel,
        batch: groups[0],
        left: convert(kernel.left),
        right: convert(kernel.right),
        outputs,
      }
    case "scatter":
      return kernel
  }
}

/** Merges loops `axis` and `axis + 1` of group `group` into one. */
const merge = (kernel: Kernel, groups: Groups, group: number, axis: number): Kernel => {
  const start = groups.slice(0, group).reduce((total, loops) => total + loops.length, 0) + axis
  const [outer, inner] = [groups[group][axis], groups[group][axis + 1]]
  const merged = groups.map((loops, i) =>
    i === group ? [...loops.slice(0, axis), outer * inner, ...loops.slice(axis + 2)] : loops,
  )
  const extents = merged.flat()
  return substitute(kernel, merged, (builder, index) => {
    if (index < start) return builder.variable(index, extents[index])
    if (index > start + 1) return builder.variable(index - 1, extents[index - 1])
    const both = builder.variable(start, outer * inner)
    return index === start ? builder.divide(both, inner) : builder.remainder(both, inner)
  })
}

/** Removes loops of one iteration from the groups that may shrink. */
const dropUnits = (kernel: Kernel, groups: Groups): Kernel => {
  const fixed = (group: number): boolean =>
    kernel.kind === "contract" ? group > 0 : kernel.kind === "scan" && group > 0
  const numbers: Array<number> = []
  let next = 0
  const kept = groups.map((loops, group) =>
    loops.filter((extent) => {
      const keep = extent !== 1 || fixed(group)
      numbers.push(keep ? next++ : -1)
      return keep
    }),
  )
  if (next === numbers.length) return kernel
  const extents = variableExtents(kernel)
  return substitute(kernel, kept, (builder, index) =>
    builder.variable(Math.max(numbers[index], 0), extents[index]),
  )
}

/**
 * Fewer, longer loops: drops loops of one iteration and merges neighbours wherever the addresses
 * stay as simple as they were. A contiguous elementwise kernel ends with a single loop.
 */
export const collapseLoops = (kernel: Kernel): Kernel => {
  const first = groupsOf(kernel)
  if (first === undefined) return kernel
  let current = dropUnits(kernel, first)
  let before = divisions(roots(current))
  for (let group = 0; group < first.length; group++) {
    for (let axis = groupsOf(current)![group].length - 2; axis >= 0; axis--) {
      const candidate = merge(current, groupsOf(current)!, group, axis)
      const after = divisions(roots(candidate))
      if (after > before) continue
      current = candidate
      before = after
    }
  }
  return current
}
