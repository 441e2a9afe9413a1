import type { Ir } from "@espalier/tensor"
import { WgslBuilder } from "@espalier/tensor"
import type { Bindings, Lowered } from "./common.ts"
import { frameIn, loopBound, positions } from "./common.ts"
import type { Strategy } from "./strategy.ts"

/** Up to so many updates are walked by one invocation a column. */
const fewUpdates = 64
/** Invocations that share one row. */
const rowLanes = 64

/** True where output and starting values are the same memory. */
const isInPlace = (kernel: Ir.ScatterKernel, { operandBinding }: Bindings): boolean =>
  kernel.initial !== undefined &&
  operandBinding[kernel.initial] === operandBinding[kernel.outputs[0].operand]

/**
 * Updates in ascending order without atomics: an invocation owns all that it writes. Few updates
 * in place touch only their rows; otherwise each row looks for the updates that concern it.
 */
export const lowerScatter = (
  kernel: Ir.ScatterKernel,
  bound: Bindings,
  strategy: Strategy,
): Lowered => {
  const writer = new WgslBuilder.Writer(bound.bindings, bound.operandBinding)
  const few = isInPlace(kernel, bound) && kernel.updates <= fewUpdates
  const workgroups = few ? columns(kernel, writer, strategy) : rows(kernel, bound, writer, strategy)
  return { code: writer.shader(strategy.lanes), workgroups }
}

const update = (
  kernel: Ir.ScatterKernel,
  writer: WgslBuilder.Writer,
  frame: WgslBuilder.Frame,
  place: string,
): void => {
  const operand = kernel.outputs[0].operand
  const [value] = writer.evaluate(frame, [kernel.value])
  if (kernel.mode === "set") {
    writer.store(operand, place, value)
    return
  }
  const { dtype } = kernel.value
  const known = writer.element(operand, place)
  writer.store(operand, place, dtype === "bool" ? `(${known} | ${value})` : `${known} + ${value}`)
}

const columns = (
  kernel: Ir.ScatterKernel,
  writer: WgslBuilder.Writer,
  strategy: Strategy,
): readonly [number, number, number] => {
  const workgroups = positions(writer, kernel.inner, strategy.lanes)
  writer.block(`for (var t = 0; t < ${loopBound(kernel.updates, strategy)}; t++)`, () => {
    const frame = frameIn()
    frame.variables.push("t", "position")
    const [row] = writer.evaluate(frame, [kernel.row])
    writer.line(`let row = i32(${row});`)
    writer.block(`if (row >= 0 && row < ${kernel.rows})`, () => {
      writer.line(`let place = row * ${kernel.inner} + position;`)
      update(kernel, writer, frameIn(frame), "place")
    })
  })
  return workgroups
}

const rows = (
  kernel: Ir.ScatterKernel,
  bound: Bindings,
  writer: WgslBuilder.Writer,
  strategy: Strategy,
): readonly [number, number, number] => {
  const { inner, updates, initial } = kernel
  const output = kernel.outputs[0].operand
  const width = Math.min(inner, rowLanes)
  const each = (body: () => void) => {
    if (inner === width) body()
    else writer.block(`for (var d = first; d < ${inner}; d += ${width})`, body)
  }
  const column = inner === width ? "first" : "d"
  const workgroups = positions(writer, kernel.rows * width, strategy.lanes)
  writer.line(`let target_row = position / ${width};`)
  writer.line(`let first = position % ${width};`)
  if (!isInPlace(kernel, bound)) {
    each(() => {
      const place = `target_row * ${inner} + ${column}`
      const zero = writer.literal(0, kernel.value.dtype)
      writer.store(output, place, initial === undefined ? zero : writer.element(initial, place))
    })
  }
  writer.block(`for (var t = 0; t < ${loopBound(updates, strategy)}; t++)`, () => {
    const frame = frameIn()
    frame.variables.push("t", column)
    const [row] = writer.evaluate(frame, [kernel.row])
    writer.block(`if (i32(${row}) == target_row)`, () =>
      each(() => {
        writer.line(`let place = target_row * ${inner} + ${column};`)
        update(kernel, writer, frameIn(frame), "place")
      }),
    )
  })
  return workgroups
}
