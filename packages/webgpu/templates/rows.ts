import { byteSize, Ir, WgslBuilder } from "@espalier/tensor"
import type { Bindings, Lowered } from "./common.ts"
import {
  delinearize,
  frameIn,
  grid,
  groupIndex,
  loopBound,
  positions,
  product,
  writerFor,
} from "./common.ts"
import type { MutableFrame } from "./common.ts"
import type { Fold } from "./fold.ts"
import { foldSerially, foldShare } from "./fold.ts"
import { LaneTree, treeBytes } from "./lane_tree.ts"
import type { Strategy } from "./strategy.ts"

/**
 * Bytes of locals that an invocation may keep for itself. WGSL allows 8192 bytes of variables; from
 * about 1024 on, lavapipe's compiler takes seconds, and gains nothing.
 */
const privateBytes = 1024

/** Iterations of a row that `lanes` lanes should find in every stage. */
const stageWork = (stage: Ir.RowStage): number =>
  product(stage.loops) * (stage.kind === "reduce" ? product(stage.reduceLoops) : 1)

const localBytes = ({ locals }: Ir.RowsKernel): number =>
  locals.reduce((sum, { dtype, length }) => sum + length * Math.max(4, byteSize(dtype)), 0)

/** Workgroup memory of one row's lanes. */
const sharedBytes = (kernel: Ir.RowsKernel, lanes: number): number =>
  localBytes(kernel) +
  kernel.stages.reduce(
    (most, stage) =>
      stage.kind === "reduce" ? Math.max(most, treeBytes(stage.combine, lanes)) : most,
    0,
  )

/** Lanes that share a row, a power of two, and rows that share a workgroup. */
const shapeOf = (kernel: Ir.RowsKernel, strategy: Strategy) => {
  const work = Math.max(1, ...kernel.stages.map(stageWork))
  let lanes = 1
  while (lanes < strategy.rowLanes && 2 * lanes < work) lanes *= 2
  const rows = product(kernel.loops)
  let slots = 1
  const fits = (count: number) =>
    count * lanes <= strategy.rowLanes &&
    count <= rows &&
    count * sharedBytes(kernel, lanes) <= strategy.workgroupBytes
  while (fits(2 * slots)) slots *= 2
  return { lanes, slots }
}

/**
 * True where the kernel should run as it is. A row that does not fit, or so few rows that most of
 * the adapter would idle, is better served by a kernel for each stage.
 */
export const keepsRows = (kernel: Ir.RowsKernel, strategy: Strategy): boolean => {
  const rows = product(kernel.loops)
  const work = kernel.stages.reduce((sum, stage) => sum + stageWork(stage), 0)
  if (strategy.rows === "serial") {
    return localBytes(kernel) <= privateBytes && rows >= strategy.rowsAtLeast
  }
  const { lanes } = shapeOf(kernel, strategy)
  if (sharedBytes(kernel, lanes) > strategy.workgroupBytes) return false
  return rows >= strategy.rowsAtLeast || work <= 64 * strategy.rowLanes
}

/** All stages of a row in one pass over it. */
export const lowerRows = (kernel: Ir.RowsKernel, bound: Bindings, strategy: Strategy): Lowered => {
  const writer = writerFor(bound)
  return strategy.rows === "serial"
    ? serial(kernel, writer, strategy)
    : shared(kernel, writer, strategy)
}

const foldOf = (kernel: Ir.RowsKernel, stage: Ir.RowStage & { readonly kind: "reduce" }): Fold => ({
  elements: stage.elements,
  combine: stage.combine,
  reduceLoops: stage.reduceLoops,
  first: kernel.loops.length + stage.loops.length,
})

const rootsOf = (stage: Ir.RowStage): ReadonlyArray<Ir.Expression> => Ir.roots(stage)

/** Stores what a stage gives at place `at` of its loops, and of row `row` in operands. */
const store = (
  kernel: Ir.RowsKernel,
  stage: Ir.RowStage,
  writer: WgslBuilder.Writer,
  frame: WgslBuilder.Frame,
  row: string,
  at: string,
  live?: string,
): void => {
  const values = writer.evaluate(
    frame,
    stage.outputs.map((output) => output.value),
  )
  const size = product(stage.loops)
  const place = size === 1 ? row : at === "0" ? `${row} * ${size}` : `${row} * ${size} + ${at}`
  stage.outputs.forEach(({ operand }, i) => {
    if (operand >= kernel.operands.length) writer.store(operand, at, values[i])
    else if (live === undefined) writer.store(operand, place, values[i])
    else writer.block(`if (${live})`, () => writer.store(operand, place, values[i]))
  })
}

/** One invocation a row, which keeps its locals in variables. */
const serial = (kernel: Ir.RowsKernel, writer: WgslBuilder.Writer, strategy: Strategy): Lowered => {
  const outerLoops = kernel.loops.length
  const workgroups = positions(writer, product(kernel.loops), strategy.rowSerialLanes, "row")
  const outer = frameIn()
  delinearize(writer, outer, "row", kernel.loops, 0, kernel.stages.flatMap(rootsOf))
  kernel.locals.forEach(({ dtype, length }, i) => {
    const name = writer.name("local")
    const type = WgslBuilder.valueType(dtype)
    writer.line(`var ${name}: ${length === 1 ? type : `array<${type}, ${Math.max(1, length)}>`};`)
    const place = length === 1 ? { name } : { name, start: "0" }
    writer.placeLocal(kernel.operands.length + i, place)
  })
  for (const stage of kernel.stages) {
    const size = product(stage.loops)
    const body = (at: string) => {
      const frame = frameIn(outer)
      delinearize(writer, frame, at, stage.loops, outerLoops, rootsOf(stage))
      if (stage.kind === "map") {
        store(kernel, stage, writer, frame, "row", at)
        return
      }
      const accumulator = foldSerially(foldOf(kernel, stage), writer, frame, strategy)
      store(kernel, stage, writer, frameIn(frame, accumulator.names), "row", at)
    }
    if (size === 1) writer.block("", () => body("0"))
    else if (size > 0) {
      const at = writer.name("at")
      writer.block(`for (var ${at} = 0; ${at} < ${loopBound(size, strategy)}; ${at}++)`, () =>
        body(at),
      )
    }
  }
  return { code: writer.shader(strategy.rowSerialLanes), workgroups }
}

/** Locals that a stage loads. */
const localsRead = (kernel: Ir.RowsKernel, stage: Ir.RowStage): ReadonlyArray<number> =>
  Ir.reachable(rootsOf(stage)).flatMap((node) =>
    node.kind === "load" && node.operand >= kernel.operands.length ? [node.operand] : [],
  )

/** A row, or several small ones, in a workgroup, which keeps the locals in its memory. */
const shared = (kernel: Ir.RowsKernel, writer: WgslBuilder.Writer, strategy: Strategy): Lowered => {
  const { lanes, slots } = shapeOf(kernel, strategy)
  const rows = product(kernel.loops)
  const groups = Math.ceil(rows / slots)
  const workgroups = grid(groups)
  const tree = new LaneTree(writer, lanes * slots, strategy)
  const outer = frameIn()
  const { row, live } = openRows(writer, groups, rows, lanes, slots)
  delinearize(writer, outer, row, kernel.loops, 0, kernel.stages.flatMap(rootsOf))
  kernel.locals.forEach(({ dtype, length }, i) => {
    const name = writer.name("local")
    const extent = Math.max(1, length)
    const type = WgslBuilder.valueType(dtype)
    writer.declare(`var<workgroup> ${name}: array<${type}, ${extent * slots}>;`)
    const start = slots === 1 ? "0" : extent === 1 ? "slot" : `slot * ${extent}`
    writer.placeLocal(kernel.operands.length + i, { name, start })
  })
  /** Locals written since the last barrier, and those read. */
  const fresh = new Set<number>()
  const seen = new Set<number>()
  for (const stage of kernel.stages) {
    const read = localsRead(kernel, stage)
    const waits = read.some((local) => fresh.has(local))
    if (waits || stage.outputs.some(({ operand }) => seen.has(operand))) {
      tree.barrier()
      fresh.clear()
      seen.clear()
    }
    writeStage(kernel, stage, { writer, outer, tree, row, live, lanes, strategy })
    for (const { operand } of stage.outputs) fresh.add(operand)
    for (const local of read) seen.add(local)
  }
  return { code: writer.shader(lanes * slots), workgroups }
}

/** Names the row of this lane. Past the last row lanes repeat it, because all must meet barriers. */
const openRows = (
  writer: WgslBuilder.Writer,
  groups: number,
  rows: number,
  lanes: number,
  slots: number,
): { readonly row: string; readonly live: string | undefined } => {
  const [width, height] = grid(groups)
  const whole = width * height * slots === rows
  if (slots === 1) {
    writer.line(`let row = ${groupIndex(groups)};`)
    if (!whole) writer.line(`if (row >= ${rows}) { return; }`)
    writer.line("let turn = i32(lane);")
    return { row: "row", live: undefined }
  }
  writer.line(`let turn = i32(lane) % ${lanes};`)
  writer.line(`let slot = i32(lane) / ${lanes};`)
  writer.line(`let wanted = ${groupIndex(groups)} * ${slots} + slot;`)
  writer.line(`let row = min(wanted, ${rows - 1});`)
  return { row: "row", live: whole ? undefined : `wanted < ${rows}` }
}

interface StageScope {
  readonly writer: WgslBuilder.Writer
  readonly outer: MutableFrame
  readonly tree: LaneTree
  readonly row: string
  readonly live: string | undefined
  readonly lanes: number
  readonly strategy: Strategy
}

const writeStage = (kernel: Ir.RowsKernel, stage: Ir.RowStage, scope: StageScope): void => {
  const { writer, outer, tree, row, live, lanes, strategy } = scope
  const size = product(stage.loops)
  if (size === 0) return
  const at = writer.name("at")
  const inStage = (place: string): MutableFrame => {
    const frame = frameIn(outer)
    delinearize(writer, frame, place, stage.loops, kernel.loops.length, rootsOf(stage))
    return frame
  }
  const byLanes = (body: (place: string) => void) => {
    if (size === 1) writer.block("if (turn == 0)", () => body("0"))
    else {
      const header = `for (var ${at} = turn; ${at} < ${loopBound(size, strategy)}; ${at} += ${lanes})`
      writer.block(header, () => body(at))
    }
  }
  if (stage.kind === "map") {
    byLanes((place) => store(kernel, stage, writer, inStage(place), row, place, live))
    return
  }
  const fold = foldOf(kernel, stage)
  // Many results, or short ones: a lane each.
  if (lanes === 1 || size >= lanes || product(stage.reduceLoops) < 2 * lanes) {
    if (size > 1 || lanes === 1) {
      byLanes((place) => {
        const frame = inStage(place)
        const accumulator = foldSerially(fold, writer, frame, strategy)
        store(kernel, stage, writer, frameIn(frame, accumulator.names), row, place, live)
      })
      return
    }
  }
  const together = (place: string) => {
    const frame = inStage(place)
    const accumulator = foldShare(fold, writer, frame, "turn", lanes, strategy)
    tree.join(accumulator, lanes, frame)
    writer.block("if (turn == 0)", () =>
      store(kernel, stage, writer, frameIn(frame, accumulator.names), row, place, live),
    )
  }
  if (size === 1) {
    writer.block("", () => together("0"))
    return
  }
  writer.block(`for (var ${at} = 0; ${at} < ${loopBound(size, strategy)}; ${at}++)`, () => {
    if (tree.busy) tree.barrier()
    together(at)
    tree.barrier()
  })
}
