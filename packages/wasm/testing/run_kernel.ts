import type { DeviceService, HostData } from "@espalier/tensor"
import { Device, Interpreter, Ir } from "@espalier/tensor"
import { Effect } from "effect"

/** A kernel built by hand, with values for the operands it reads (in operand order). */
export interface KernelCase {
  readonly kernel: Ir.Kernel
  readonly inputs: ReadonlyArray<HostData>
}

/** Runs a kernel on a device and reads its outputs. */
export const runOn = (device: DeviceService, { kernel, inputs }: KernelCase) =>
  Effect.gen(function* () {
    const schedule = Ir.scheduleOf(kernel)
    const executable = yield* device.compile(schedule)
    const buffers = yield* Effect.forEach(schedule.buffers, (buffer) =>
      device.allocate(buffer.dtype, buffer.length),
    )
    for (const [i, id] of schedule.inputs.entries()) {
      yield* device.write(buffers[id], schedule.buffers[id].dtype, inputs[i])
    }
    yield* executable.run(
      schedule.inputs.map((id) => buffers[id]),
      schedule.outputs.map((id) => buffers[id]),
    )
    for (const [i, id] of schedule.inputs.entries()) {
      const { dtype, length } = schedule.buffers[id]
      const after = yield* device.read(buffers[id], dtype, length)
      if (!after.every((value, place) => Object.is(value, inputs[i][place]))) {
        throw new Error(`${kernel.name} wrote into its input ${i}`)
      }
    }
    const results = yield* Effect.forEach(schedule.outputs, (id) =>
      device.read(buffers[id], schedule.buffers[id].dtype, schedule.buffers[id].length),
    )
    for (const buffer of buffers) device.free(buffer)
    return results
  }).pipe(Effect.scoped)

/** What the `f64` interpreter gives for the same kernel. */
export const expected = (kernelCase: KernelCase) =>
  Effect.flatMap(Device, (device) => runOn(device, kernelCase)).pipe(
    Effect.provide(Interpreter.layer),
  )

/** Numbers in [−1, 1), rounded to `f32`, the same for the same seed. */
export const floats = (length: number, seed = 1): Float32Array => {
  let state = seed * 2654435761
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
    return (state ^ (state >>> 13)) / 2 ** 31
  })
}

/** Integers in [0, below). */
export const integers = (length: number, below: number, seed = 1): Int32Array =>
  Int32Array.from(floats(length, seed), (x) => Math.floor(((x + 1) / 2) * below))

/** The largest difference, relative to the largest expected magnitude. */
export const difference = (found: HostData, wanted: HostData): number => {
  let scale = 1e-30
  let worst = 0
  for (const value of wanted) if (Number.isFinite(value)) scale = Math.max(scale, Math.abs(value))
  for (const [i, value] of wanted.entries()) {
    if (Object.is(found[i], value)) continue
    const error = Math.abs(found[i] - value)
    worst = Math.max(worst, Number.isNaN(error) ? Infinity : error)
  }
  return worst / scale
}
