import { Context, Schema } from "effect"

/**
 * The device of a run, as far as a pipeline is concerned: what to write into the manifest, and what
 * tells its results from another device's. The application supplies it.
 */
export class PipelineDevice extends Context.Service<
  PipelineDevice,
  {
    /** `"wasm"` or `"webgpu"`. */
    readonly kind: string
    /** The adapter's own name. */
    readonly adapter: string
    /** Whether it computes on the CPU. */
    readonly software: boolean
    /** How many kernels it was given so far. */
    readonly dispatches: () => number
    /** What it can do that others of its kind may not, for the manifest. */
    readonly features?: ReadonlyArray<string>
    /**
     * The URLs of the modules that compute on it: the hash of their code is part of the key of device
     * steps. Without them the fingerprint has to say all.
     */
    readonly modules?: ReadonlyArray<string>
    /** Devices with equal fingerprints give equal results: part of the key of device steps. */
    readonly fingerprint: string
  }
>()("@espalier/pipeline/PipelineDevice") {}

/** The device that was asked for is not there. */
export class DeviceUnavailable extends Schema.TaggedError<DeviceUnavailable>()(
  "DeviceUnavailable",
  {
    /** What was asked for: `"webgpu"`. */
    device: Schema.String,
    detail: Schema.String,
    hint: Schema.String,
  },
) {
  override get message(): string {
    return `no ${this.device} device: ${this.detail}`
  }
}
