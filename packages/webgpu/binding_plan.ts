import type { WgslBuilder } from "@espalier/tensor"
import { byteSize } from "@espalier/tensor"
import type { Launch, OperandRange } from "./plan/launch.ts"
import { rangeBytes } from "./plan/launch.ts"
import type { Plan } from "./plan/plan.ts"
import type { Bindings } from "./templates/common.ts"

/** What is bound at one `@binding` number. */
export interface BoundRange {
  readonly buffer: number
  /** Bytes from the start of the schedule buffer. */
  readonly offset: number
  readonly bytes: number
  readonly access: "read" | "read_write"
}

/** How the operands of one launch are bound. */
export interface LaunchBindings extends Bindings {
  /** The memory behind each `@binding` number: one a binding, or as many as it has pages. */
  readonly ranges: ReadonlyArray<BoundRange>
}

type Memory = Pick<Plan, "buffers" | "inPlace">

/** Operands of a launch by the buffer they end up in: one updated in place is its output. */
const places = ({ kernel, operands }: Launch, { inPlace }: Memory): ReadonlyArray<OperandRange> => {
  if (kernel.kind !== "scatter" || kernel.initial === undefined) return operands
  const from = operands[kernel.initial].buffer
  const to = operands[kernel.outputs[0].operand].buffer
  if (!inPlace.some((pair) => pair.input === from && pair.output === to)) return operands
  return operands.map((range) => (range.buffer === from ? { ...range, buffer: to } : range))
}

const rangesOf = (
  { buffer, first, length }: OperandRange,
  { dtype, access, pageLength = length }: WgslBuilder.Binding,
): ReadonlyArray<BoundRange> =>
  Array.from({ length: Math.max(1, Math.ceil(length / pageLength)) }, (_, page) => ({
    buffer,
    offset: (first + page * pageLength) * byteSize(dtype),
    bytes: rangeBytes(dtype, Math.min(length - page * pageLength, pageLength)),
    access,
  }))

/**
 * Gives operands their bindings: one for each range of a buffer, and one for an output and the
 * input that it is updated from in place. WebGPU refuses a buffer that is bound twice unless both
 * only read, or (ranges of one buffer, as in the arena) both may write.
 */
export const planBindings = (launch: Launch, memory: Memory): LaunchBindings => {
  const { kernel } = launch
  const operands = places(launch, memory)
  const written = new Set(
    operands.flatMap(({ buffer }, i) => (kernel.operands[i].access === "write" ? [buffer] : [])),
  )
  const inArena = (id: number) => memory.buffers[id].role === "temporary"
  const arenaWritten = [...written].some(inArena)
  const keyOf = ({ buffer, first, length }: OperandRange) => `${buffer} ${first} ${length}`
  const keys = [...new Set(operands.map(keyOf))]
  const ranges: Array<BoundRange> = []
  const bindings = keys.map((key): WgslBuilder.Binding => {
    const range = operands.find((operand) => keyOf(operand) === key)!
    const { buffer, length, pages = 1 } = range
    const writable = written.has(buffer) || (arenaWritten && inArena(buffer))
    const { dtype } = memory.buffers[buffer]
    const whole = { dtype, length, access: writable ? "read_write" : "read" } as const
    const pageLength = Math.ceil(length / pages / 256) * 256
    const binding = pages === 1 ? whole : { ...whole, pageLength }
    ranges.push(...rangesOf(range, binding))
    return binding
  })
  return {
    bindings,
    ranges,
    operandBinding: operands.map((range) => keys.indexOf(keyOf(range))),
    operandShift: operands.map(({ shift = 0 }) => shift),
  }
}

/** Pairs of the plan whose kernel works on the output alone, which must start as the input. */
export const copiedPairs = ({ launches, inPlace }: Plan): Plan["inPlace"] =>
  inPlace.filter(({ output, input }) =>
    launches.some(
      ({ kernel, operands }) =>
        kernel.kind === "scatter" &&
        kernel.initial !== undefined &&
        kernel.initial !== kernel.outputs[0].operand &&
        operands[kernel.initial].buffer === input &&
        operands[kernel.outputs[0].operand].buffer === output,
    ),
  )
