import { byteSize, isFloat } from "./dtype.ts"
import type { Expression } from "./ir/expression.ts"
import { reachable } from "./ir/expression.ts"
import type { Kernel, RowStage } from "./ir/kernel.ts"
import { outputExtents, stageExtents, variableExtents } from "./ir/kernel.ts"
import type { Schedule, ScheduleBuffer } from "./ir/schedule.ts"
import type { Program } from "./program.ts"
import { sizeOf } from "./shape.ts"
import * as Tree from "./tree.ts"

/** What one kernel costs, whatever the device. */
export interface KernelCost {
  /** Bytes of the buffers that it reads, each counted once. */
  readonly bytesRead: number
  readonly bytesWritten: number
  /** Floating-point operations; a function such as `exp` counts as one. */
  readonly flops: number
}

/** Operations on floats that evaluating `roots` once takes. */
const flopsOf = (roots: ReadonlyArray<Expression>): number =>
  reachable(roots).filter((node) => {
    if (node.kind === "unary") return isFloat(node.operand.dtype)
    return node.kind === "binary" && isFloat(node.left.dtype)
  }).length

const countStageFlops = (stage: RowStage, extents: ReadonlyArray<number>): number => {
  const finish = flopsOf(stage.outputs.map((output) => output.value))
  if (stage.kind === "map") return sizeOf(extents) * finish
  const each = flopsOf(stage.elements) + flopsOf(stage.combine.result)
  const outputs = sizeOf(extents.slice(0, extents.length - stage.reduceLoops.length))
  return sizeOf(extents) * each + outputs * finish
}

const countFlops = (kernel: Kernel): number => {
  if (kernel.kind === "rows") {
    return kernel.stages.reduce(
      (total, stage) => total + countStageFlops(stage, stageExtents(kernel, stage)),
      0,
    )
  }
  if (kernel.kind === "custom") {
    return kernel.reference.steps.reduce((total, step) => total + countFlops(step.kernel), 0)
  }
  const all = sizeOf(variableExtents(kernel))
  const finish = flopsOf(kernel.outputs.map((output) => output.value))
  switch (kernel.kind) {
    case "map":
      return all * finish
    case "reduce":
    case "scan": {
      const each = flopsOf(kernel.elements) + flopsOf(kernel.combine.result)
      return all * each + sizeOf(outputExtents(kernel)) * finish
    }
    case "contract": {
      const { m, n, k } = kernel
      const batch = sizeOf(kernel.batch)
      // What is fused into an operand is computed once for each of its elements.
      const operands = batch * k * (m * flopsOf([kernel.left]) + n * flopsOf([kernel.right]))
      return 2 * batch * m * n * k + operands + batch * m * n * finish
    }
    case "scatter":
      return all * (flopsOf([kernel.value]) + (kernel.mode === "add" ? 1 : 0))
  }
}

/** Bytes moved and operations done by one kernel. */
export const costOf = (kernel: Kernel): KernelCost => {
  const bytes = (access: "read" | "write") =>
    kernel.operands
      .filter((operand) => operand.access === access)
      .reduce((total, { length, dtype }) => total + length * byteSize(dtype), 0)
  return { bytesRead: bytes("read"), bytesWritten: bytes("write"), flops: countFlops(kernel) }
}

const scaled = (value: number, step: number, units: ReadonlyArray<string>): string => {
  let power = 0
  let rest = value
  while (rest >= step && power < units.length - 1) {
    rest /= step
    power++
  }
  return `${power === 0 ? rest : rest.toFixed(1)} ${units[power]}`
}
const bytesText = (bytes: number): string => scaled(bytes, 1024, ["B", "KiB", "MiB", "GiB"])
const flopsText = (flops: number): string =>
  scaled(flops, 1000, ["FLOP", "kFLOP", "MFLOP", "GFLOP"])

const extentsText = (extents: ReadonlyArray<number>): string =>
  extents.length === 0 ? "1" : extents.join("×")

const loopsText = (kernel: Kernel): string => {
  switch (kernel.kind) {
    case "map":
      return extentsText(kernel.loops)
    case "reduce":
      return `${extentsText(kernel.loops)} over ${extentsText(kernel.reduceLoops)}`
    case "scan":
      return `${extentsText(kernel.loops)} along ${kernel.length}`
    case "contract":
      return `${extentsText([...kernel.batch, kernel.m, kernel.n])} over ${kernel.k}`
    case "scatter":
      return `${kernel.updates}×${kernel.inner} into ${kernel.rows} rows`
    case "rows":
      return `${extentsText(kernel.loops)} rows in ${kernel.stages.length} stages`
    case "custom":
      return kernel.operands
        .filter(({ access }) => access === "write")
        .map(({ length }) => String(length))
        .join(", ")
  }
}

const namesOf = (schedule: Schedule, inputs: unknown, outputs: unknown): ReadonlyArray<string> => {
  const prefix = { input: "in", output: "out", temporary: "t", constant: "c" } as const
  const names = schedule.buffers.map(({ id, role }: ScheduleBuffer) => `${prefix[role]}${id}`)
  const assign = (ids: ReadonlyArray<number>, tree: unknown, before: string): void =>
    Tree.entries(tree).forEach(([path], i) => (names[ids[i]] = `${before}${path}`))
  assign(schedule.inputs, inputs, "")
  assign(schedule.outputs, outputs, "→ ")
  return names
}

/** Pads every column but the last to its widest cell. */
const align = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column].length)),
  )
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column])))
      .join("  "),
  )
}

/**
 * What a program becomes, for people: one line a kernel with its kind, name, loops, cost and
 * buffers (inputs and outputs by path, `t` temporaries, `c` constants), then the totals.
 *
 * @example
 * ```ts
 * import { Program, Spec, Tensor } from "@espalier/tensor"
 *
 * const program = Program.make("softmax", { x: Spec.f32([64, 100]) }, ({ x }) => Tensor.softmax(x))
 * console.log(Program.explain(program))
 * ```
 */
export const explain = <I, O>({ name, inputs, outputs, schedule }: Program<I, O>): string => {
  const names = namesOf(schedule, inputs, outputs)
  const costs = schedule.steps.map((step) => costOf(step.kernel))
  const total = (field: keyof KernelCost) => costs.reduce((sum, cost) => sum + cost[field], 0)
  const costText = ({ bytesRead, bytesWritten, flops }: KernelCost) => [
    `reads ${bytesText(bytesRead)}`,
    `writes ${bytesText(bytesWritten)}`,
    flopsText(flops),
  ]
  const rows = schedule.steps.map(({ kernel, buffers }, i) => {
    const bound = (access: "read" | "write") =>
      buffers.filter((_, operand) => kernel.operands[operand].access === access)
    const written = bound("write").map((id) => names[id].replace("→ ", ""))
    const read = bound("read").map((id) => names[id])
    return [
      kernel.kind,
      kernel.name,
      loopsText(kernel),
      ...costText(costs[i]),
      [...read, "→", ...written].join(" "),
    ]
  })
  const count = `${rows.length} kernel${rows.length === 1 ? "" : "s"}`
  const [reads, writes, flops] = costText({
    bytesRead: total("bytesRead"),
    bytesWritten: total("bytesWritten"),
    flops: total("flops"),
  })
  const places = schedule.inPlace.map(
    ({ input, output }) => `${names[output].replace("→ ", "")} may be written over ${names[input]}`,
  )
  return [
    `${name}: ${count}, ${reads}, ${writes}, ${flops}, arena ${bytesText(schedule.arenaBytes)}`,
    ...align(rows).map((line) => `  ${line}`),
    ...places.map((line) => `  ${line}`),
  ].join("\n")
}
