import { ExpressionBuilder } from "../ir/expression_builder.ts"
import { mapExpressions } from "../ir/collapse.ts"
import type { CustomKernel, MapKernel, Operand, ReduceKernel, RowsKernel } from "../ir/kernel.ts"
import { roots } from "../ir/kernel.ts"
import { reachable } from "../ir/expression.ts"
import { rewrite } from "../ir/rewrite.ts"
import type { Repeat, Schedule, ScheduleBuffer, ScheduleStep } from "../ir/schedule.ts"
import { sizeOf } from "../shape.ts"
import { planArena } from "./arena.ts"

/** What stands in for one step. */
interface Replacement {
  readonly steps: ReadonlyArray<ScheduleStep>
  /** Counted from the first of these steps. */
  readonly repeats: ReadonlyArray<Repeat>
}

type NewBuffer = (buffer: Omit<ScheduleBuffer, "id" | "offset">) => number

/** The schedule with some steps replaced by several others, and memory planned for those. */
const expand = (
  schedule: Schedule,
  replace: (step: ScheduleStep, add: NewBuffer) => Replacement | undefined,
): Schedule => {
  const buffers = [...schedule.buffers]
  const add: NewBuffer = (buffer) => buffers.push({ ...buffer, id: buffers.length }) - 1
  const steps: Array<ScheduleStep> = []
  const inner: Array<Repeat> = []
  /** Where each old step begins now. */
  const begins: Array<number> = []
  let changed = false
  for (const step of schedule.steps) {
    begins.push(steps.length)
    const replacement = replace(step, add)
    if (replacement === undefined) {
      steps.push(step)
      continue
    }
    changed = true
    for (const { from, to, count } of replacement.repeats) {
      inner.push({ from: steps.length + from, to: steps.length + to, count })
    }
    steps.push(...replacement.steps)
  }
  if (!changed) return schedule
  begins.push(steps.length)
  const outer = schedule.repeats.map(({ from, to, count }) => ({
    from: begins[from],
    to: begins[to],
    count,
  }))
  const repeats = [...inner, ...outer]
  return { ...schedule, steps, repeats, ...planArena(buffers, steps, repeats) }
}

/** Each stage of a rows kernel as a kernel of its own; locals become temporaries. */
const splitRows = (kernel: RowsKernel, buffers: ReadonlyArray<number>, add: NewBuffer) => {
  const { operands, locals, loops, stages } = kernel
  const rows = sizeOf(loops)
  const place = locals.map((local, i): number => {
    const stage = stages.find(({ outputs }) =>
      outputs.some(({ operand }) => operand === operands.length + i),
    )
    const also = stage?.outputs.find(({ operand }) => operand < operands.length)
    if (also !== undefined) return buffers[also.operand]
    return add({ dtype: local.dtype, length: local.length * rows, role: "temporary" })
  })
  const bufferOf = (operand: number): number =>
    operand < operands.length ? buffers[operand] : place[operand - operands.length]
  return stages.map((stage): ScheduleStep => {
    const builder = new ExpressionBuilder()
    const row = builder.linearize(
      loops.map((extent, i) => builder.variable(i, extent)),
      loops,
    )
    const written = bufferOf(stage.outputs[0].operand)
    const bound = [written]
    const made: Array<Operand> = [
      {
        dtype: stage.outputs[0].value.dtype,
        length: rows * sizeOf(stage.loops),
        access: "write",
      },
    ]
    for (const node of reachable(roots(stage))) {
      if (node.kind !== "load" || bound.includes(bufferOf(node.operand))) continue
      bound.push(bufferOf(node.operand))
      const local = locals[node.operand - operands.length]
      made.push({
        dtype: node.dtype,
        length: local === undefined ? operands[node.operand].length : local.length * rows,
        access: "read",
      })
    }
    const moved = rewrite(builder, (node, recurse) => {
      if (node.kind !== "load") return undefined
      const operand = bound.indexOf(bufferOf(node.operand))
      const local = locals[node.operand - operands.length]
      const index = recurse(node.index)
      const at =
        local === undefined ? index : builder.add(builder.multiply(row, local.length), index)
      return builder.load(operand, at, node.dtype)
    })
    const inner = mapExpressions(stage, moved)
    const common = {
      operands: made,
      loops: [...loops, ...stage.loops],
      outputs: [{ operand: 0, value: inner.outputs[0].value }],
    }
    const split: MapKernel | ReduceKernel =
      inner.kind === "map" ? { ...inner, ...common } : { ...inner, ...common }
    return { kernel: split, buffers: bound }
  })
}

/** The schedule with the rows kernels that `keeps` refuses cut into their stages. */
export const expandRows = (schedule: Schedule, keeps: (kernel: RowsKernel) => boolean): Schedule =>
  expand(schedule, ({ kernel, buffers }, add) =>
    kernel.kind !== "rows" || keeps(kernel)
      ? undefined
      : { steps: splitRows(kernel, buffers, add), repeats: [] },
  )

/** The schedule with the hand-written kernels that `keeps` refuses replaced by their reference. */
export const expandCustom = (
  schedule: Schedule,
  keeps: (kernel: CustomKernel) => boolean,
): Schedule =>
  expand(schedule, ({ kernel, buffers }, add) => {
    if (kernel.kind !== "custom" || keeps(kernel)) return undefined
    const reference = expandCustom(kernel.reference, keeps)
    const bound = (access: Operand["access"]) =>
      buffers.filter((_, i) => kernel.operands[i].access === access)
    const places = new Map<number, number>()
    const [reads, writes] = [bound("read"), bound("write")]
    reference.inputs.forEach((id, i) => places.set(id, reads[i]))
    reference.outputs.forEach((id, i) => places.set(id, writes[i]))
    for (const { id, offset: _, ...buffer } of reference.buffers) {
      if (!places.has(id)) places.set(id, add(buffer))
    }
    return {
      steps: reference.steps.map((step) => ({
        kernel: step.kernel,
        buffers: step.buffers.map((id) => places.get(id)!),
      })),
      repeats: reference.repeats,
    }
  })

/** The numbers of the steps in the order in which they run, repeats written out. */
export const executionOrder = ({ steps, repeats }: Schedule): Int32Array => {
  /** The runs of `[from, to)` with the repeats that lie inside it. */
  const run = (from: number, to: number, inside: ReadonlyArray<Repeat>): Array<number> => {
    const order: Array<number> = []
    for (let at = from; at < to;) {
      const next = inside.findLast((repeat) => repeat.from === at)
      if (next === undefined) {
        order.push(at++)
        continue
      }
      const others = inside.filter(
        (repeat) => repeat !== next && repeat.from >= next.from && repeat.to <= next.to,
      )
      const once = run(next.from, next.to, others)
      for (let i = 0; i < next.count; i++) for (const step of once) order.push(step)
      at = next.to
    }
    return order
  }
  return Int32Array.from(run(0, steps.length, repeats))
}
