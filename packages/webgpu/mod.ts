/**
 * Runs Espalier programs on a GPU, through Dawn in Node or through the browser's own WebGPU.
 *
 * @module
 */
import type { DeviceUnavailable } from "@espalier/tensor"
import { Device } from "@espalier/tensor"
import { Layer } from "effect"
import { makeDevice } from "./device.ts"
import type { WebGpuOptions } from "./options.ts"

export type { WebGpuOptions } from "./options.ts"
export { shaderOf } from "./shader_of.ts"
export type { AdapterFacts, Strategy } from "./templates/strategy.ts"

/**
 * Provides a `Device` that runs on a GPU: `navigator.gpu` where there is one, else the npm package
 * `webgpu` (Dawn), else `@kmamal/gpu`, whichever is installed.
 *
 * Computes in `f32` (and `f16` where the adapter can; never `f64`). The device is destroyed with
 * the layer's scope.
 *
 * @throws DeviceUnavailable lists where it looked, what it found there and what to install.
 * @example
 * ```ts
 * import { Device } from "@espalier/tensor"
 * import * as WebGpu from "@espalier/webgpu"
 * import { Effect } from "effect"
 *
 * const adapter = Device.use((device) => Effect.succeed(device.info.adapter)).pipe(
 *   Effect.provide(WebGpu.layer()),
 *   Effect.catchTag("DeviceUnavailable", (error) => Effect.succeed(error.message)),
 * )
 * console.log(await Effect.runPromise(adapter))
 * ```
 */
export const layer = (options: WebGpuOptions = {}): Layer.Layer<Device, DeviceUnavailable> =>
  Layer.effect(Device, makeDevice(options))
