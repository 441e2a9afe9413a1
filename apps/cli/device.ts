import { DeviceUnavailable, PipelineDevice } from "@espalier/pipeline"
import type { DeviceUnavailable as Unavailable } from "@espalier/tensor"
import { Device } from "@espalier/tensor"
import * as Wasm from "@espalier/wasm"
import * as WebGpu from "@espalier/webgpu"
import { Effect, Layer } from "effect"
import type { DeviceChoice } from "./command_line/application.ts"

/** What a pipeline needs to know of the tensor device, taken from it. */
const describe: Layer.Layer<PipelineDevice, never, Device> = Layer.effect(
  PipelineDevice,
  Effect.map(Device, ({ info, statistics }) => ({
    kind: info.kind,
    adapter: info.adapter,
    software: info.software,
    dispatches: () => statistics().dispatches,
    // Threads do not change results, so the wasm device is one device whatever the machine.
    fingerprint: info.kind === "wasm" ? "wasm" : `${info.kind} ${info.adapter}`,
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
  wasm: orUnavailable(Wasm.layer()),
  webgpu: orUnavailable(WebGpu.layer({ software: "allow" })),
  auto: orUnavailable(WebGpu.layer({ software: false }).pipe(Layer.catch(() => Wasm.layer()))),
}

/**
 * The device of a run: `wasm`, `webgpu` (a software adapter where there is no other), or `auto`: a
 * hardware adapter where there is one, else `wasm`. Under each of them, factorisations in `f64` run
 * on the CPU in WebAssembly; under `wasm`, in the memory of the device.
 */
export const deviceLayer = (
  choice: DeviceChoice,
): Layer.Layer<Device | PipelineDevice, DeviceUnavailable> =>
  Layer.merge(describe, Wasm.linearAlgebra()).pipe(Layer.provideMerge(devices[choice]))
