import type { WgslBuilder, Ir } from "@espalier/tensor"
import { byteSize } from "@espalier/tensor"
import type { Bindings } from "./templates/common.ts"

/** How the operands of one step are bound. */
export interface StepBindings extends Bindings {
  /** Schedule buffer behind each binding. */
  readonly buffers: ReadonlyArray<number>
}

/** Bytes that a range of `length` elements takes in a binding. */
export const rangeBytes = (dtype: Ir.ScheduleBuffer["dtype"], length: number): number =>
  Math.max(4, Math.ceil((length * byteSize(dtype)) / 4) * 4)

/**
 * Gives operands their bindings: one for each buffer, and one for an output and the input that it
 * is updated from in place. WebGPU refuses a buffer that is bound twice unless both only read, or
 * (ranges of one buffer, as in the arena) both may write.
 */
export const planBindings = (schedule: Ir.Schedule, step: Ir.ScheduleStep): StepBindings => {
  const { kernel } = step
  const replaced = new Map<number, number>()
  if (kernel.kind === "scatter" && kernel.initial !== undefined) {
    const from = step.buffers[kernel.initial]
    const to = step.buffers[kernel.outputs[0].operand]
    if (schedule.inPlace.some((pair) => pair.input === from && pair.output === to)) {
      replaced.set(from, to)
    }
  }
  const ids = step.buffers.map((id) => replaced.get(id) ?? id)
  const written = new Set(kernel.outputs.map((output) => ids[output.operand]))
  const inArena = (id: number) => schedule.buffers[id].role === "temporary"
  const arenaWritten = [...written].some(inArena)
  const buffers = [...new Set(ids)]
  const bindings = buffers.map((id): WgslBuilder.Binding => {
    const { dtype, length } = schedule.buffers[id]
    const writable = written.has(id) || (arenaWritten && inArena(id))
    return { dtype, length, access: writable ? "read_write" : "read" }
  })
  return { bindings, buffers, operandBinding: ids.map((id) => buffers.indexOf(id)) }
}

/** Pairs of the schedule whose kernel works on the output alone, which must start as the input. */
export const copiedPairs = (schedule: Ir.Schedule): Ir.Schedule["inPlace"] =>
  schedule.inPlace.filter(({ output, input }) =>
    schedule.steps.some((step) => {
      if (!step.buffers.includes(output) || !step.buffers.includes(input)) return false
      return !planBindings(schedule, step).buffers.includes(input)
    }),
  )
