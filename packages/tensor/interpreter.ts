import { Effect, Layer } from "effect"
import type { DeviceBuffer, DeviceService } from "./device.ts"
import { Device } from "./device.ts"
import { allocate } from "./dtype.ts"
import type { DType, HostData } from "./dtype.ts"
import { kernelToJavaScript } from "./interpreter_code.ts"
import * as Scalar from "./ir/evaluate_scalar.ts"
import type { Kernel } from "./ir/kernel.ts"
import { printKernel } from "./ir/print.ts"
import { executionOrder, expandCustom } from "./schedule/expand.ts"

/** Floats of every width are `f64` here; integers keep their 32 bits. */
const store = (dtype: DType, length: number): HostData =>
  dtype === "f32" || dtype === "f16" ? new Float64Array(length) : allocate(dtype, length)

class InterpreterBuffer implements DeviceBuffer {
  readonly data: HostData
  constructor(dtype: DType, length: number) {
    this.data = store(dtype, length)
  }
  get bytes(): number {
    return this.data.byteLength
  }
}

type Compiled = (buffers: ReadonlyArray<HostData>, scalar: typeof Scalar) => void

const make = (): DeviceService => {
  const cache = new Map<string, Compiled>()
  let dispatches = 0
  let liveBytes = 0
  let programs = 0
  const compileKernel = (kernel: Kernel): Compiled => {
    const key = printKernel(kernel)
    const known = cache.get(key)
    if (known !== undefined) return known
    const made = new Function("buffers", "scalar", kernelToJavaScript(kernel)) as Compiled
    cache.set(key, made)
    return made
  }
  const data = (buffer: DeviceBuffer): HostData => (buffer as InterpreterBuffer).data
  const claim = (dtype: DType, length: number): InterpreterBuffer => {
    const buffer = new InterpreterBuffer(dtype, length)
    liveBytes += buffer.bytes
    return buffer
  }
  return {
    info: {
      kind: "interpreter",
      adapter: "JavaScript, f64",
      software: true,
      dtypes: ["f32", "f16", "f64", "i32", "u32", "bool"],
      maximumBufferBytes: 2 ** 32,
    },
    allocate: (dtype, length) => Effect.sync(() => claim(dtype, length)),
    write: (buffer, _, values) => Effect.sync(() => data(buffer).set(values)),
    read: (buffer) => Effect.sync(() => data(buffer).slice()),
    free: (buffer) => {
      liveBytes -= buffer.bytes
      data(buffer).fill(Number.NaN)
    },
    compile: (given) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          programs++
          const schedule = expandCustom(given, () => false)
          const order = executionOrder(schedule)
          const kernels = schedule.steps.map((step) => compileKernel(step.kernel))
          const own = schedule.buffers.map((buffer) => {
            if (buffer.role === "input" || buffer.role === "output") return undefined
            const memory = claim(buffer.dtype, buffer.length)
            if (buffer.data !== undefined) memory.data.set(buffer.exact ?? buffer.data)
            return memory
          })
          const run = (inputs: ReadonlyArray<DeviceBuffer>, outputs: ReadonlyArray<DeviceBuffer>) =>
            Effect.sync(() => {
              const memory = own.map((buffer) => buffer?.data)
              schedule.inputs.forEach((id, i) => (memory[id] = data(inputs[i])))
              schedule.outputs.forEach((id, i) => (memory[id] = data(outputs[i])))
              for (const i of order) {
                dispatches++
                kernels[i](
                  schedule.steps[i].buffers.map((id) => memory[id]!),
                  Scalar,
                )
              }
            })
          return { run, own }
        }),
        ({ own }) =>
          Effect.sync(() => {
            programs--
            for (const buffer of own) liveBytes -= buffer?.bytes ?? 0
          }),
      ),
    statistics: () => ({ dispatches, liveBytes, programs }),
  }
}

/**
 * A device that computes everything in `f64` with generated JavaScript: slow, and the definition
 * of what the others must give. Needs nothing installed.
 */
export const layer: Layer.Layer<Device> = Layer.sync(Device, make)
