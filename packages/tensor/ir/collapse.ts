import type { Expression } from "./expression.ts"
import { reachable } from "./expression.ts"
import { ExpressionBuilder } from "./expression_builder.ts"
import { rewrite as rewriteIn } from "./rewrite.ts"
import type { RowStage, SimpleKernel } from "./kernel.ts"
import { roots } from "./kernel.ts"

/** A kernel whose loops were joined where they walk memory as one, with the builder it lives in. */
export interface Collapsed<K> {
  readonly kernel: K
  readonly builder: ExpressionBuilder
}

type Rewrite = (expression: Expression) => Expression

/** What can be rewritten: a kernel of one kind, or a stage of several. */
type Part = SimpleKernel | RowStage

/** The kernel with every expression rewritten. */
export const mapExpressions = <K extends Part>(kernel: K, rewrite: Rewrite): K => {
  const outputs = kernel.outputs.map((o) => ({ operand: o.operand, value: rewrite(o.value) }))
  switch (kernel.kind) {
    case "map":
      return { ...kernel, outputs }
    case "reduce":
    case "scan":
      return {
        ...kernel,
        outputs,
        elements: kernel.elements.map(rewrite),
        combine: { ...kernel.combine, result: kernel.combine.result.map(rewrite) },
      }
    case "contract":
      return { ...kernel, outputs, left: rewrite(kernel.left), right: rewrite(kernel.right) }
    case "scatter":
      return { ...kernel, outputs, row: rewrite(kernel.row), value: rewrite(kernel.value) }
  }
}

/** Replaces the variables of a kernel by expressions over new ones, in a builder of their own. */
export const substitute = <K extends Part>(
  kernel: K,
  variables: (builder: ExpressionBuilder) => ReadonlyArray<Expression>,
  builder = new ExpressionBuilder(),
): Collapsed<K> => {
  const values = variables(builder)
  const rewrite = rewriteIn(builder, (node) =>
    node.kind === "variable" ? values[node.index] : undefined,
  )
  return { kernel: mapExpressions(kernel, rewrite), builder }
}

const divisions = (kernel: Part): number =>
  reachable(roots(kernel)).filter(
    (node) =>
      node.kind === "binary" && (node.function === "divide" || node.function === "remainder"),
  ).length

/** Groups of neighbouring loops that may be joined with each other, as lists of extents. */
const groupsOf = (kernel: Part): ReadonlyArray<ReadonlyArray<number>> => {
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
      return [[kernel.updates], [kernel.inner]]
  }
}

const withGroups = <K extends Part>(kernel: K, groups: ReadonlyArray<ReadonlyArray<number>>): K => {
  switch (kernel.kind) {
    case "map":
    case "scan":
      return { ...kernel, loops: groups[0] }
    case "reduce":
      return { ...kernel, loops: groups[0], reduceLoops: groups[1] }
    case "contract":
      return { ...kernel, batch: groups[0] }
    case "scatter":
      return kernel
  }
}

/**
 * Rewrites a kernel for other loops; `position` gives each old variable in terms of the new ones,
 * which are numbered from `outer.length`: the loops around a stage stay as they are.
 */
const regroup = <K extends Part>(
  kernel: K,
  outer: ReadonlyArray<number>,
  groups: ReadonlyArray<ReadonlyArray<number>>,
  position: (
    variable: (index: number, extent: number) => Expression,
    builder: ExpressionBuilder,
  ) => ReadonlyArray<Expression>,
): Collapsed<K> =>
  substitute(withGroups(kernel, groups), (builder) => [
    ...outer.map((extent, index) => builder.variable(index, extent)),
    ...position((index, extent) => builder.variable(outer.length + index, extent), builder),
  ])

/** Drops loops of one round (their variable is the constant 0 already). */
const dropSingle = <K extends Part>(kernel: K, outer: ReadonlyArray<number>): Collapsed<K> => {
  const groups = groupsOf(kernel)
  const droppable = (group: number, extent: number): boolean =>
    extent === 1 && kernel.kind !== "scatter" && (group === 0 || kernel.kind === "reduce")
  const kept = groups.map((group, i) => group.filter((extent) => !droppable(i, extent)))
  return regroup(kernel, outer, kept, (variable) => {
    let next = 0
    return groups.flatMap((group, i) =>
      group.map((extent) => variable(droppable(i, extent) ? next : next++, extent)),
    )
  })
}

/** Joins loop `at` of a group with the one after it. */
const join = <K extends Part>(
  kernel: K,
  outer: ReadonlyArray<number>,
  group: number,
  at: number,
): Collapsed<K> => {
  const groups = groupsOf(kernel)
  const joined = groups.map((extents, i) =>
    i === group
      ? [...extents.slice(0, at), extents[at] * extents[at + 1], ...extents.slice(at + 2)]
      : extents,
  )
  return regroup(kernel, outer, joined, (variable, builder) => {
    const place = groups.slice(0, group).reduce((sum, g) => sum + g.length, 0) + at
    const whole = variable(place, joined.flat()[place])
    const inner = groups[group][at + 1]
    return groups.flat().map((extent, index) => {
      if (index < place) return variable(index, extent)
      if (index === place) return builder.divide(whole, inner)
      if (index === place + 1) return builder.remainder(whole, inner)
      return variable(index - 1, extent)
    })
  })
}

/**
 * Fewer, longer loops: drops loops of one iteration and joins neighbours, the inner ones first,
 * wherever the addresses stay as simple as they were. A contiguous elementwise kernel ends with a
 * single loop. For a stage, `outer` are the loops around it.
 */
export const collapseLoops = <K extends Part>(
  kernel: K,
  outer: ReadonlyArray<number> = [],
): Collapsed<K> => {
  let best = dropSingle(kernel, outer)
  let before = divisions(best.kernel)
  for (const group of groupsOf(kernel).keys()) {
    for (let at = groupsOf(best.kernel)[group].length - 2; at >= 0; at--) {
      const joined = join(best.kernel, outer, group, at)
      const after = divisions(joined.kernel)
      if (after > before) continue
      best = joined
      before = after
    }
  }
  return best
}
