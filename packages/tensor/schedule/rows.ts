import { collapseLoops, mapExpressions, substitute } from "../ir/collapse.ts"
import type { Expression } from "../ir/expression.ts"
import { dependsOn, linearForm, reachable, strideOf } from "../ir/expression.ts"
import { ExpressionBuilder } from "../ir/expression_builder.ts"
import type { Local, MapKernel, Operand, Output, ReduceKernel, RowStage } from "../ir/kernel.ts"
import { roots } from "../ir/kernel.ts"
import { rewrite } from "../ir/rewrite.ts"
import type { ScheduleBuffer, ScheduleStep } from "../ir/schedule.ts"
import { sizeOf } from "../shape.ts"
import { maximumOperands } from "./fusion.ts"

/**
 * Joins maps and reductions that work on the same rows into one kernel: a softmax, a norm or a
 * cross-entropy with its gradient reads each row once and keeps what lies between in the cache.
 */

/** Elements that the locals of one row may take together: what stays in the first-level cache. */
const maximumLocalElements = 16384
/** Fewer rows than this leave threads idle: then rows must be short. */
const fewRows = 64
/** Elements of a long row. */
const longRow = 4096
/** Shorter rows cost more to enter and leave than they save. */
const shortRow = 8

/** A step as one stage over `rows` rows: variable 0 is the row. */
interface Stage {
  readonly at: number
  readonly step: ScheduleStep
  readonly stage: Omit<MapKernel, "operands"> | Omit<ReduceKernel, "operands">
  /** Elements of each row that it writes. */
  readonly width: number
}

/** How many leading loops make `rows` rows. */
const leading = (loops: ReadonlyArray<number>, rows: number): number | undefined => {
  let product = 1
  let count = 0
  while (product < rows && count < loops.length) product *= loops[count++]
  return product === rows ? count : undefined
}

const toStage = (at: number, step: ScheduleStep, rows: number): Stage | undefined => {
  const { kernel } = step
  if (kernel.kind !== "map" && kernel.kind !== "reduce") return undefined
  const count = leading(kernel.loops, rows)
  if (count === undefined) return undefined
  const [outer, inner] = [kernel.loops.slice(0, count), kernel.loops.slice(count)]
  const reduceLoops = kernel.kind === "reduce" ? kernel.reduceLoops : []
  const { operands: _, ...bare } = kernel
  const { kernel: stage } = substitute({ ...bare, loops: inner }, (builder) => [
    ...builder.delinearize(builder.variable(0, rows), outer),
    ...[...inner, ...reduceLoops].map((extent, i) => builder.variable(1 + i, extent)),
  ])
  const length = sizeOf([...inner, ...reduceLoops])
  if (rows < fewRows ? length > longRow : length < shortRow && reduceLoops.length > 0) {
    return undefined
  }
  const last = inner.length + reduceLoops.length
  const strided =
    stage.kind === "reduce" &&
    reachable(stage.elements).some(
      (node) => node.kind === "load" && Math.abs(strideOf(node.index, last) ?? 0) > 1,
    )
  return strided ? undefined : { at, step, stage, width: sizeOf(inner) }
}

/** The element within the row of a buffer of `width` a row, if `index` is in the row it is read in. */
const withinRow = (
  builder: ExpressionBuilder,
  index: Expression,
  rows: number,
  width: number,
): Expression | undefined => {
  const local = builder.subtract(index, builder.multiply(builder.variable(0, rows), width))
  if (dependsOn(local, 0)) return undefined
  const [low, high] = builder.range(local)
  if (low >= 0 && high < width) return local
  // With one row everything that the buffer holds is in it.
  const simple = linearForm(local).terms.every(({ atom }) => atom.kind === "variable")
  return rows === 1 && !simple ? local : undefined
}

/** Operand `i` of a stage is read in its own row only. */
const readsOwnRow = ({ stage }: Stage, operand: number, rows: number, width: number): boolean => {
  const builder = new ExpressionBuilder()
  const copy = rewrite(builder, () => undefined)
  return reachable(roots(stage)).every(
    (node) =>
      node.kind !== "load" ||
      node.operand !== operand ||
      withinRow(builder, copy(node.index), rows, width) !== undefined,
  )
}

const written = ({ step }: { readonly step: ScheduleStep }): number =>
  step.buffers[step.kernel.operands.findIndex(({ access }) => access === "write")]

/** Steps that can run as one, found from the first of them. */
class Group {
  readonly rows: number
  readonly stages: Array<Stage> = []
  readonly #produced = new Map<number, Stage>()
  readonly #read = new Set<number>()

  constructor(rows: number) {
    this.rows = rows
  }

  produces(buffer: number): boolean {
    return this.#produced.has(buffer)
  }

  /** True where a step takes up what the group has read or made. */
  shares({ buffers }: ScheduleStep): boolean {
    return buffers.some((buffer) => this.#read.has(buffer))
  }

  /** True where a stage reads what the group has made row by row. */
  accepts(next: Stage): boolean {
    return next.step.buffers.every((buffer, operand) => {
      const source = this.#produced.get(buffer)
      return source === undefined || readsOwnRow(next, operand, this.rows, source.width)
    })
  }

  add(stage: Stage): void {
    this.stages.push(stage)
    this.#produced.set(written(stage), stage)
    for (const buffer of stage.step.buffers) this.#read.add(buffer)
  }

  /** Buffers of the group that somebody else looks at. */
  kept(users: ReadonlyMap<number, ReadonlySet<number>>): ReadonlySet<number> {
    const own = new Set(this.stages.map(({ at }) => at))
    return new Set(
      [...this.#produced.keys()].filter((buffer) =>
        [...(users.get(buffer) ?? [])].some((user) => !own.has(user)),
      ),
    )
  }

  /** Buffers that the group reads from outside. */
  external(): ReadonlySet<number> {
    const all = this.stages.flatMap(({ step }) => step.buffers)
    return new Set(all.filter((buffer) => !this.#produced.has(buffer)))
  }

  localElements(): number {
    return this.stages.reduce((total, { width }) => total + width, 0)
  }
}

/** Readers of each buffer by step; an output of the program has the reader −1. */
const usersOf = (
  steps: ReadonlyArray<ScheduleStep>,
  buffers: ReadonlyArray<ScheduleBuffer>,
): ReadonlyMap<number, ReadonlySet<number>> => {
  const users = new Map<number, Set<number>>()
  const add = (buffer: number, user: number): void => {
    const known = users.get(buffer)
    if (known === undefined) users.set(buffer, new Set([user]))
    else known.add(user)
  }
  for (const { id, role } of buffers) if (role === "output") add(id, -1)
  for (const [at, { kernel, buffers: bound }] of steps.entries()) {
    for (const [i, buffer] of bound.entries()) {
      if (kernel.operands[i].access === "read") add(buffer, at)
    }
  }
  return users
}

/** Who reads what of whom, with the steps of finished groups as one. */
class Dependencies {
  readonly users: ReadonlyMap<number, ReadonlySet<number>>
  /** The steps that read what a step, or one of those that run together with it, writes. */
  readonly #after: Array<ReadonlyArray<number>>
  readonly #taken = new Set<number>()

  constructor(steps: ReadonlyArray<ScheduleStep>, buffers: ReadonlyArray<ScheduleBuffer>) {
    this.users = usersOf(steps, buffers)
    this.#after = steps.map(({ kernel, buffers: bound }) => {
      const readers = bound.flatMap((buffer, i) =>
        kernel.operands[i].access === "write" ? [...(this.users.get(buffer) ?? [])] : [],
      )
      return [...new Set(readers)].filter((at) => at >= 0)
    })
  }

  isTaken(at: number): boolean {
    return this.#taken.has(at)
  }

  take(group: ReadonlyArray<number>): void {
    const after = [...new Set(group.flatMap((at) => this.#after[at]))]
    for (const at of group) {
      this.#taken.add(at)
      this.#after[at] = after
    }
  }

  /** True where something outside both depends on `from`, and `to` on that. */
  leads(from: ReadonlyArray<number>, to: ReadonlyArray<number>): boolean {
    const [own, goal] = [new Set(from), new Set(to)]
    const seen = new Set<number>()
    const open = from.flatMap((at) => this.#after[at]).filter((at) => !goal.has(at))
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (own.has(at) || seen.has(at)) continue
      if (goal.has(at)) return true
      seen.add(at)
      for (const next of this.#after[at]) if (!seen.has(next)) open.push(next)
    }
    return false
  }
}

/** Grows a group from step `start` through the later steps that fit. */
const grow = (
  start: number,
  rows: number,
  steps: ReadonlyArray<ScheduleStep>,
  dependencies: Dependencies,
): Group | undefined => {
  let group = new Group(rows)
  const first = toStage(start, steps[start], rows)
  if (first === undefined) return undefined
  group.add(first)
  for (let at = start + 1; at < steps.length; at++) {
    if (dependencies.isTaken(at) || !group.shares(steps[at])) continue
    const stage = toStage(at, steps[at], rows)
    if (stage === undefined || !group.accepts(stage)) continue
    const trial = new Group(rows)
    for (const member of [...group.stages, stage]) trial.add(member)
    const bound = trial.external().size + Math.max(1, trial.kept(dependencies.users).size)
    if (bound > maximumOperands || trial.localElements() > maximumLocalElements) continue
    const members = group.stages.map((member) => member.at)
    if (dependencies.leads(members, [at]) || dependencies.leads([at], members)) continue
    group = trial
  }
  const reductions = group.stages.filter(({ stage }) => stage.kind === "reduce")
  return group.stages.length > 1 && reductions.length > 0 ? group : undefined
}

/** The best group that begins with step `at`, whatever the number of its rows. */
const bestGroup = (
  at: number,
  steps: ReadonlyArray<ScheduleStep>,
  dependencies: Dependencies,
): Group | undefined => {
  const { kernel } = steps[at]
  const reductions = kernel.kind === "reduce" ? [kernel] : []
  if (kernel.kind === "map") {
    for (const user of dependencies.users.get(written({ step: steps[at] })) ?? []) {
      const other = user < 0 ? undefined : steps[user].kernel
      if (other?.kind === "reduce") reductions.push(other)
    }
  }
  const candidates = new Set(reductions.map(({ loops }) => sizeOf(loops)))
  let best: Group | undefined
  for (const rows of candidates) {
    const group = grow(at, rows, steps, dependencies)
    if (group !== undefined && group.stages.length > (best?.stages.length ?? 0)) best = group
  }
  return best
}

/** One kernel for a group: what only its stages see becomes local. */
const lowerGroup = (
  group: Group,
  users: ReadonlyMap<number, ReadonlySet<number>>,
  buffers: ReadonlyArray<ScheduleBuffer>,
): ScheduleStep => {
  const { rows, stages } = group
  const kept = group.kept(users)
  const bound = [...kept, ...group.external()]
  const operands = bound.map((id, i): Operand => {
    const { dtype, length } = buffers[id]
    return { dtype, length, access: i < kept.size ? "write" : "read" }
  })
  const readInside = new Set(stages.flatMap(({ step }) => step.buffers.slice(1)))
  const locals: Array<Local> = []
  const localOf = new Map<number, { readonly operand: number; readonly width: number }>()
  for (const stage of stages) {
    const buffer = written(stage)
    if (!readInside.has(buffer)) continue
    localOf.set(buffer, { operand: operands.length + locals.length, width: stage.width })
    locals.push({ dtype: buffers[buffer].dtype, length: stage.width })
  }
  const builder = new ExpressionBuilder()
  const lowered = stages.map(({ stage, step }): RowStage => {
    const collapsed = collapseLoops(stage, [rows]).kernel
    const moved = rewrite(builder, (node, recurse) => {
      if (node.kind !== "load") return undefined
      const buffer = step.buffers[node.operand]
      const local = localOf.get(buffer)
      const index = recurse(node.index)
      if (local === undefined) return builder.load(bound.indexOf(buffer), index, node.dtype)
      const within = withinRow(builder, index, rows, local.width)
      if (within === undefined) throw new Error(`${step.kernel.name} reads another row`)
      return builder.load(local.operand, within, node.dtype)
    })
    const made = mapExpressions(collapsed, moved)
    const [{ value }] = made.outputs
    const buffer = written({ step })
    const outputs: Array<Output> = []
    if (kept.has(buffer)) outputs.push({ operand: bound.indexOf(buffer), value })
    const local = localOf.get(buffer)
    if (local !== undefined) outputs.push({ operand: local.operand, value })
    return { ...made, outputs }
  })
  const name = [...new Set(stages.flatMap(({ stage }) => stage.name.split("+")))].slice(0, 6)
  return {
    kernel: {
      kind: "rows",
      name: name.join("+"),
      loops: [rows],
      operands,
      locals,
      stages: lowered,
    },
    buffers: bound,
  }
}

/** Steps in an order in which each comes after what it reads, near to the order given. */
const inOrder = (steps: ReadonlyArray<ScheduleStep>): ReadonlyArray<ScheduleStep> => {
  const producer = new Map<number, ScheduleStep>()
  for (const step of steps) {
    step.kernel.operands.forEach(({ access }, i) => {
      if (access === "write") producer.set(step.buffers[i], step)
    })
  }
  const done = new Set<ScheduleStep>()
  const visit = (step: ScheduleStep): void => {
    if (done.has(step)) return
    done.add(step)
    step.kernel.operands.forEach(({ access }, i) => {
      const before = access === "read" ? producer.get(step.buffers[i]) : undefined
      if (before !== undefined) visit(before)
    })
    ordered.push(step)
  }
  const ordered: Array<ScheduleStep> = []
  for (const step of steps) visit(step)
  return ordered
}

/** Replaces steps that work on the same rows by kernels that do all of it in one pass. */
export const fuseRows = (
  steps: ReadonlyArray<ScheduleStep>,
  buffers: ReadonlyArray<ScheduleBuffer>,
): ReadonlyArray<ScheduleStep> => {
  const dependencies = new Dependencies(steps, buffers)
  const fused = steps.map((step, at): ScheduleStep | undefined => {
    if (dependencies.isTaken(at)) return undefined
    const group = bestGroup(at, steps, dependencies)
    if (group === undefined) return step
    dependencies.take(group.stages.map((member) => member.at))
    return lowerGroup(group, dependencies.users, buffers)
  })
  const made = fused.filter((step) => step !== undefined)
  return made.length === steps.length ? steps : inOrder(made)
}
