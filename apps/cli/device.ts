import { DeviceUnavailable, PipelineDevice } from "@espalier/pipeline"
import type { DeviceUnavailable as Unavailable } from "@espalier/tensor"
import { Device } from "@espalier/tensor"
import { Effect, Layer } from "effect"
import type { DeviceChoice } from "./command_line/application.ts"
import { fastLinearAlgebra } from "./devices/linear_algebra.ts"
import { wasmDevice } from "./devices/wasm.ts"
import { webGpuDevice } from "./devices/webgpu.ts"
import { numericsClass } from "./numerics_class.ts"

/** What a pipeline needs to know of the tensor device, taken from it. */
const describe: Layer.Layer<PipelineDevice, never, Device> = Layer.effect(
  PipelineDevice,
  Effect.map(Device, ({ info, statistics }) => ({
    kind: info.kind,
    adapter: info.adapter,
    software: info.software,
    dispatches: () => statistics().dispatches,
    features: info.dtypes,
    modules: [
      info.kind === "wasm" ? wasmDevice.module : webGpuDevice.module,
      fastLinearAlgebra.module,
    ],
    fingerprint: numericsClass(info),
  })),
)

/** A device of its own kind, or the pipeline's word for one that is not there. */
const orUnavailable = (
  layer: Layer.Layer<Device, Unavailable>,
): Layer.Layer<Device, DeviceUnavailable> =>
  layer.pipe(
    Layer.catch(({ device, lookedFor, hint }) => {
      const detail = `looked for ${lookedFor.join(", ")}`
      return Layer.effect(Device, new DeviceUnavailable({ device, detail, hint }))
    }),
  )

const devices: Readonly<Record<DeviceChoice, Layer.Layer<Device, DeviceUnavailable>>> = {
  wasm: orUnavailable(wasmDevice.layer),
  webgpu: orUnavailable(webGpuDevice.any),
  auto: orUnavailable(webGpuDevice.hardware.pipe(Layer.catch(() => wasmDevice.layer))),
}

/**
 * The device of a run: `wasm`, `webgpu` (a software adapter where there is no other), or `auto`: a
 * hardware adapter where there is one, else `wasm`. Under each of them, factorisations in `f64` run
 * on the CPU in WebAssembly; under `wasm`, in the memory of the device.
 */
export const deviceLayer = (
  choice: DeviceChoice,
): Layer.Layer<Device | PipelineDevice, DeviceUnavailable> =>
  Layer.merge(describe, fastLinearAlgebra.layer).pipe(Layer.provideMerge(devices[choice]))
