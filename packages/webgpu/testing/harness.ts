import type { DeviceService, HostData } from "@espalier/tensor"
import { Device, Interpreter } from "@espalier/tensor"
import type { Ir } from "@espalier/tensor"
import { Context, Effect, Layer, Result, Scope } from "effect"
import { describe, it } from "vitest"
import * as WebGpu from "../mod.ts"
import type { Strategy } from "../templates/strategy.ts"
import { strategyFor } from "../templates/strategy.ts"

/** The kernels of a GPU, for the `override` of a device that runs on something else. */
export const gpuStrategy = (maximumInvocations = 256, subgroup = 0): Strategy =>
  strategyFor({
    software: false,
    vendor: "",
    subgroup,
    maximumInvocations,
    workgroupBytes: 16384,
    bindingBytes: 2 ** 27,
  })

/** Uploads, compiles, runs, reads and frees. */
export const runSchedule = (
  device: DeviceService,
  schedule: Ir.Schedule,
  inputs: ReadonlyArray<HostData>,
) =>
  Effect.gen(function* () {
    const executable = yield* device.compile(schedule)
    const allocate = (id: number) =>
      device.allocate(schedule.buffers[id].dtype, schedule.buffers[id].length)
    const given = yield* Effect.forEach(schedule.inputs, allocate)
    yield* Effect.forEach(given, (buffer, i) =>
      device.write(buffer, schedule.buffers[schedule.inputs[i]].dtype, inputs[i]),
    )
    const results = yield* Effect.forEach(schedule.outputs, allocate)
    yield* executable.run(given, results)
    const read = yield* Effect.forEach(results, (buffer, i) => {
      const { dtype, length } = schedule.buffers[schedule.outputs[i]]
      return device.read(buffer, dtype, length)
    })
    for (const buffer of [...given, ...results]) device.free(buffer)
    return read
  }).pipe(Effect.scoped)

/** Deterministic values in [-1, 1). */
export const values = (length: number, seed = 1): Float32Array => {
  let state = seed >>> 0
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}

/** Builds a layer's device; it lives as long as the process. */
const open = <E>(layer: Layer.Layer<Device, E>) =>
  Effect.gen(function* () {
    const context = yield* Layer.buildWithScope(layer, Scope.makeUnsafe())
    return Context.get(context, Device)
  })

/** The interpreter: what results must be. */
export const reference = await Effect.runPromise(open(Interpreter.layer))

/** A device for tests, or why there is none. Where one is required, its absence is an error. */
export const openDevice = async (
  options: WebGpu.WebGpuOptions = {},
): Promise<DeviceService | string> => {
  const opened = await Effect.runPromise(Effect.result(open(WebGpu.layer(options))))
  if (Result.isSuccess(opened)) return opened.success
  if (process.env["ESPALIER_REQUIRE_WEBGPU"] === "1") throw opened.failure
  return opened.failure.message
}

/** `describe` for tests that need a device; without one they are skipped, and the title says so. */
export const describeOn = (
  device: DeviceService | string,
  title: string,
  body: (device: DeviceService) => void,
): void => {
  if (typeof device === "string") {
    console.warn(`SKIPPED: ${title}: ${device}`)
    describe.skip(`${title}: SKIPPED, ${device}`, () => it("needs an adapter", () => {}))
  } else describe(`${title} on ${device.info.adapter}`, () => body(device))
}
