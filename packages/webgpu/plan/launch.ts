import { byteSize, Ir } from "@espalier/tensor"

/** The elements of a schedule buffer that an operand of a launch stands for. */
export interface OperandRange {
  readonly buffer: number
  readonly first: number
  readonly length: number
  /** Where outputs begin within the range: bindings begin at multiples of 256 bytes only. */
  readonly shift?: number
  /** More than one where the range is too long for one binding and has to be read in pieces. */
  readonly pages?: number
}

/** One dispatch: a kernel and the memory of each of its operands. */
export interface Launch {
  readonly kernel: Ir.Kernel
  readonly operands: ReadonlyArray<OperandRange>
}

/** Makes room for intermediates of a step that takes several dispatches; answers the buffer. */
export type AddScratch = (dtype: Ir.ScheduleBuffer["dtype"], length: number) => number

/** Bytes that a range of `length` elements takes in a binding. */
export const rangeBytes = (dtype: Ir.ScheduleBuffer["dtype"], length: number): number =>
  Math.max(4, Math.ceil((length * byteSize(dtype)) / 4) * 4)

/** A step of a schedule as one launch over whole buffers. */
export const launchOf = ({ kernel, buffers }: Ir.ScheduleStep): Launch => ({
  kernel,
  operands: buffers.map((buffer, i) => ({ buffer, first: 0, length: kernel.operands[i].length })),
})

/** The launch without operands that its kernel neither loads nor stores. */
export const dropUnusedOperands = <K extends Ir.SimpleKernel>(launch: {
  readonly kernel: K
  readonly operands: ReadonlyArray<OperandRange>
}): Launch => {
  const { kernel, operands } = launch
  const used = new Set<number>(kernel.outputs.map(({ operand }) => operand))
  for (const node of Ir.reachable(Ir.roots(kernel)))
    if (node.kind === "load") used.add(node.operand)
  if (kernel.kind === "scatter" && kernel.initial !== undefined) used.add(kernel.initial)
  const kept = [...operands.keys()].filter((operand) => used.has(operand))
  if (kept.length === operands.length) return launch
  const builder = new Ir.ExpressionBuilder()
  const moved = Ir.rewrite(builder, (node, recurse) =>
    node.kind === "load"
      ? builder.load(kept.indexOf(node.operand), recurse(node.index), node.dtype)
      : undefined,
  )
  const rebuilt = Ir.mapExpressions(kernel, moved)
  const renumbered = {
    ...rebuilt,
    operands: kept.map((operand) => kernel.operands[operand]),
    outputs: rebuilt.outputs.map(({ operand, value }) => ({
      operand: kept.indexOf(operand),
      value,
    })),
  }
  const made =
    renumbered.kind === "scatter" && renumbered.initial !== undefined
      ? { ...renumbered, initial: kept.indexOf(renumbered.initial) }
      : renumbered
  return { kernel: made, operands: kept.map((operand) => operands[operand]) }
}
