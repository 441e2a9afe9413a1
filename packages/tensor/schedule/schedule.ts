import type { HostData } from "../dtype.ts"
import { Sha256 } from "../hash.ts"
import { collapseLoops } from "../ir/collapse.ts"
import { reachable } from "../ir/expression.ts"
import { roots } from "../ir/kernel.ts"
import { printKernel } from "../ir/print.ts"
import type { Schedule, ScheduleBuffer, ScheduleStep } from "../ir/schedule.ts"
import { sizeOf } from "../shape.ts"
import type { Tensor, TensorType } from "../tensor.ts"
import { planArena } from "./arena.ts"
import { planFusion } from "./fusion.ts"
import type { GraphNode } from "./graph.ts"
import { buildGraph } from "./graph.ts"
import { copyKernel, lowerNode } from "./lower.ts"
import { fuseRows } from "./rows.ts"

/** Gives out buffer ids and remembers what each buffer is. */
class BufferTable {
  readonly list: Array<ScheduleBuffer> = []
  readonly #byNode = new Map<GraphNode, number>()

  add(tensor: TensorType, role: ScheduleBuffer["role"], data?: HostData): number {
    const id = this.list.length
    const { dtype, shape } = tensor
    const entry = { id, dtype, length: sizeOf(shape), role }
    if (data === undefined) this.list.push(entry)
    else if (data instanceof Float64Array && dtype !== "f64") {
      this.list.push({ ...entry, data: Float32Array.from(data), exact: data })
    } else this.list.push({ ...entry, data })
    return id
  }

  of(node: GraphNode): number {
    const known = this.#byNode.get(node)
    if (known !== undefined) return known
    const data = node.tensor.attributes["data"] as HostData | undefined
    const id = this.add(node.tensor, data === undefined ? "temporary" : "constant", data)
    this.#byNode.set(node, id)
    return id
  }

  assign(node: GraphNode, id: number): void {
    this.#byNode.set(node, id)
  }
}

/**
 * Outputs that a scatter may write over the input it starts from: nothing else reads that input,
 * neither the updates themselves nor a later step, and no other output takes it.
 */
const findInPlace = (
  steps: ReadonlyArray<ScheduleStep>,
  buffers: ReadonlyArray<ScheduleBuffer>,
): Schedule["inPlace"] => {
  const taken = new Set<number>()
  return steps.flatMap((step, at) => {
    const { kernel } = step
    if (kernel.kind !== "scatter" || kernel.initial === undefined) return []
    const input = step.buffers[kernel.initial]
    const output = step.buffers[kernel.outputs[0].operand]
    const later = steps.slice(at + 1).some((other) => other.buffers.includes(input))
    const own = reachable(roots(kernel)).some(
      (node) => node.kind === "load" && node.operand === kernel.initial,
    )
    const fits = buffers[input].role === "input" && buffers[output].role === "output"
    if (!fits || own || later || taken.has(input)) return []
    taken.add(input)
    return [{ output, input }]
  })
}

const hashOf = (
  buffers: ReadonlyArray<ScheduleBuffer>,
  steps: ReadonlyArray<ScheduleStep>,
): string => {
  const hash = new Sha256()
  for (const { dtype, length, role, data, exact } of buffers) {
    hash.update(`${role} ${dtype} ${length}\n`)
    if (data !== undefined) hash.update(exact ?? data)
  }
  for (const step of steps)
    hash.update(`${printKernel(step.kernel)}\non ${step.buffers.join(" ")}\n`)
  return hash.digest()
}

/** The step of a call; results that it writes and nobody uses get memory all the same. */
const lowerCall = (node: GraphNode, table: BufferTable): ScheduleStep => {
  const { lower } = node.tensor.operation
  if (lower.kind !== "call") throw new Error("only calls have results")
  const { call } = lower
  const results = new Map<number, GraphNode>()
  for (const user of node.users) {
    const { lower: own } = user.tensor.operation
    if (own.kind === "result") results.set(own.index, user)
  }
  const { kernel, written } = call.lower(call.results.map((_, i) => results.has(i)))
  const outputs = written.map((index) => {
    const result = results.get(index)
    return result === undefined ? table.add(call.results[index], "temporary") : table.of(result)
  })
  return { kernel, buffers: [...node.inputs.map((input) => table.of(input)), ...outputs] }
}

/** Fewer, longer loops. */
const simplify = ({ kernel, buffers }: ScheduleStep): ScheduleStep =>
  kernel.kind === "rows" || kernel.kind === "custom"
    ? { kernel, buffers }
    : { kernel: collapseLoops(kernel).kernel, buffers }

/**
 * Forgets steps that nobody needs: an index that turned out to be known when it was inlined leaves
 * values behind that no kernel loads.
 */
const dropDead = (
  steps: ReadonlyArray<ScheduleStep>,
  buffers: ReadonlyArray<ScheduleBuffer>,
  copied: ReadonlySet<number>,
): ReadonlyArray<ScheduleStep> => {
  const needed = new Set(copied)
  for (const { id, role } of buffers) if (role === "output") needed.add(id)
  const alive = steps.toReversed().filter(({ kernel, buffers: bound }) => {
    const wanted = bound.some((id, i) => kernel.operands[i].access === "write" && needed.has(id))
    if (wanted) for (const id of bound) needed.add(id)
    return wanted
  })
  return alive.toReversed()
}

/** Forgets temporaries and constants that no step binds any more; inputs and outputs come first. */
const dropUnused = (
  buffers: ReadonlyArray<ScheduleBuffer>,
  steps: ReadonlyArray<ScheduleStep>,
): {
  readonly buffers: ReadonlyArray<ScheduleBuffer>
  readonly steps: ReadonlyArray<ScheduleStep>
} => {
  const bound = new Set(steps.flatMap((step) => step.buffers))
  const kept = buffers.filter(
    ({ id, role }) => role === "input" || role === "output" || bound.has(id),
  )
  if (kept.length === buffers.length) return { buffers, steps }
  const renumbered = new Map(kept.map(({ id }, at) => [id, at]))
  return {
    buffers: kept.map((buffer, id) => ({ ...buffer, id })),
    steps: steps.map((step) => ({
      ...step,
      buffers: step.buffers.map((id) => renumbered.get(id)!),
    })),
  }
}

/** Lowers a traced computation to the kernels and memory that every device reads. */
export const makeSchedule = (
  name: string,
  inputs: ReadonlyArray<Tensor>,
  outputs: ReadonlyArray<Tensor>,
): Schedule => {
  const graph = buildGraph(outputs)
  const plan = planFusion(graph.nodes)
  const stored = new Set(plan.stored)
  const table = new BufferTable()

  const byInput = new Map<Tensor, GraphNode>(
    graph.nodes
      .filter((node) => node.tensor.operation.name === "input")
      .map((node) => [node.tensor, node]),
  )
  const inputIds = inputs.map((tensor) => {
    const id = table.add(tensor, "input")
    const node = byInput.get(tensor)
    if (node !== undefined) table.assign(node, id)
    return id
  })
  const copies: Array<{ readonly node: GraphNode; readonly id: number }> = []
  const owned = new Set<GraphNode>()
  const outputIds = graph.outputs.map((node, i) => {
    const id = table.add(outputs[i], "output")
    if (stored.has(node) && !owned.has(node)) {
      owned.add(node)
      table.assign(node, id)
    } else copies.push({ node, id })
    return id
  })

  const called = new Set<GraphNode>()
  const lowered = plan.stored.flatMap((node): ReadonlyArray<ScheduleStep> => {
    if (node.tensor.operation.lower.kind === "result") {
      const call = node.inputs[0]
      if (called.has(call)) return []
      called.add(call)
      return [lowerCall(call, table)]
    }
    const { kernel, buffers } = lowerNode(node, plan.anchor.get(node), stored)
    return [{ kernel, buffers: buffers.map((buffer) => table.of(buffer)) }]
  })
  const alive = dropDead(lowered, table.list, new Set(copies.map(({ node }) => table.of(node))))
  const fused = fuseRows(alive, table.list).map(simplify)
  for (const { node, id } of copies) {
    const { shape, dtype } = node.tensor
    fused.push({ kernel: copyKernel(sizeOf(shape), dtype), buffers: [id, table.of(node)] })
  }
  const { buffers: used, steps } = dropUnused(table.list, fused)
  const { buffers, arenaBytes } = planArena(used, steps)
  return {
    name,
    hash: hashOf(buffers, steps),
    buffers,
    steps,
    repeats: [],
    arenaBytes,
    inputs: inputIds,
    outputs: outputIds,
    inPlace: findInPlace(steps, buffers),
  }
}
