import type { Schedule } from "../ir/schedule.ts"
import { variableExtents } from "../ir/kernel.ts"
import * as Program from "../program.ts"
import { Spec } from "../program.ts"
import type { Shape } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import { checkSchedule } from "./check_schedule.ts"

/** The checked schedule of a function of `f32` tensors of the given shapes. */
export const trace = (
  shapes: ReadonlyArray<Shape>,
  build: (...inputs: ReadonlyArray<Tensor>) => unknown,
): Schedule => {
  const { schedule } = Program.make("test", shapes.map(Spec.f32), (inputs) => build(...inputs))
  checkSchedule(schedule)
  return schedule
}

/** Kind, name and loops of each kernel: `reduce sum 5x65`. */
export const kernels = ({ steps }: Schedule): ReadonlyArray<string> =>
  steps.map(
    ({ kernel }) => `${kernel.kind} ${kernel.name} ${variableExtents(kernel).join("x") || "1"}`,
  )
