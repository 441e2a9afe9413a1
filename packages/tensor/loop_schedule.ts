import { sha256 } from "./hash.ts"
import { ExpressionBuilder } from "./ir/expression_builder.ts"
import type { Operand, ScatterKernel } from "./ir/kernel.ts"
import type { Schedule, ScheduleBuffer, ScheduleStep } from "./ir/schedule.ts"
import { add } from "./ops/pointwise.ts"
import { copyKernel } from "./schedule/lower.ts"
import { makeSchedule } from "./schedule/schedule.ts"
import { sizeOf } from "./shape.ts"
import type { Tensor } from "./tensor.ts"
import type { Body } from "./loop_body.ts"

/** `into[row] = value`, everything else as it was. */
const rowKernel = (rows: number, inner: number, dtype: Operand["dtype"]): ScatterKernel => {
  const builder = new ExpressionBuilder()
  const value = builder.load(2, builder.variable(1, inner), dtype)
  return {
    kind: "scatter",
    name: "keep row",
    operands: [
      { dtype, length: rows * inner, access: "write" },
      { dtype: "i32", length: 1, access: "read" },
      { dtype, length: inner, access: "read" },
    ],
    outputs: [{ operand: 0, value }],
    updates: 1,
    rows,
    inner,
    row: builder.load(1, builder.constant(0, "i32"), "i32"),
    value,
    mode: "set",
    initial: 0,
  }
}

/**
 * A schedule that runs the body `length` times. Inputs: first index, carries, arrays; outputs: those
 * of final carries, rows of ys and saved carries that are used.
 */
export const loopSchedule = (
  body: Body,
  length: number,
  step: number,
  used: {
    readonly finals: ReadonlyArray<boolean>
    readonly ys: ReadonlyArray<boolean>
    readonly saved: ReadonlyArray<boolean>
  },
): Schedule => {
  const kept = body.ys.filter((_, k) => used.ys[k])
  const once = makeSchedule(
    "round",
    [body.index, ...body.carries, ...body.arrays],
    [add(body.index, step), ...body.nextCarries, ...kept],
  )
  const buffers: Array<ScheduleBuffer> = []
  const make = (
    type: { readonly dtype: Operand["dtype"]; readonly length: number },
    role: ScheduleBuffer["role"],
  ): number => buffers.push({ ...type, role, id: buffers.length }) - 1
  const typed = ({ dtype, shape }: Tensor, rows = 1) => ({ dtype, length: rows * sizeOf(shape) })
  const states = [body.index, ...body.carries]
  const starts = states.map((state) => make(typed(state), "input"))
  const arrays = body.arrays.map((array) => make(typed(array), "input"))
  const finals = body.carries.map((carry, i) =>
    make(typed(carry), used.finals[i] ? "output" : "temporary"),
  )
  const ys = kept.map((y) => make(typed(y, length), "output"))
  const saved = body.carries.map((carry, i) =>
    used.saved[i] ? make(typed(carry, length), "output") : undefined,
  )
  const counter = make({ dtype: "i32", length: 1 }, "temporary")
  const own = [counter, ...finals]
  const places = new Map<number, number>()
  once.inputs.forEach((id, i) => places.set(id, [...own, ...arrays][i]))
  for (const { id, offset: _, ...buffer } of once.buffers) {
    if (places.has(id)) continue
    const role = buffer.role === "output" ? "temporary" : buffer.role
    places.set(id, buffers.push({ ...buffer, role, id: buffers.length }) - 1)
  }
  const results = once.outputs.map((id) => places.get(id)!)
  const copy = (to: number, from: number): ScheduleStep => {
    const { length: count, dtype } = buffers[to]
    return { kernel: copyKernel(count, dtype), buffers: [to, from] }
  }
  const keepRow = (into: number, from: number): ScheduleStep => {
    const { length: inner, dtype } = buffers[from]
    return { kernel: rowKernel(length, inner, dtype), buffers: [into, counter, from] }
  }
  const before = own.map((state, i) => copy(state, starts[i]))
  const round: ReadonlyArray<ScheduleStep> = [
    ...saved.flatMap((into, i) => (into === undefined ? [] : [keepRow(into, finals[i])])),
    ...once.steps.map((each) => ({
      kernel: each.kernel,
      buffers: each.buffers.map((id) => places.get(id)!),
    })),
    ...ys.map((into, k) => keepRow(into, results[own.length + k])),
    ...own.map((state, i) => copy(state, results[i])),
  ]
  const inner = once.repeats.map(({ from, to, count }) => {
    const shift = before.length + saved.filter((into) => into !== undefined).length
    return { from: from + shift, to: to + shift, count }
  })
  return {
    name: "scan",
    hash: sha256(`${once.hash} ${length} ${step} ${JSON.stringify(used)}`),
    buffers,
    steps: [...before, ...round],
    repeats: [...inner, { from: before.length, to: before.length + round.length, count: length }],
    arenaBytes: 0,
    inputs: [...starts, ...arrays],
    outputs: buffers.filter(({ role }) => role === "output").map(({ id }) => id),
    inPlace: [],
  }
}
