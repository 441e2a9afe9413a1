import { layer } from "@espalier/webgpu"

/** A GPU, and the module whose code decides what it computes. */
export const webGpuDevice = {
  module: import.meta.url,
  /** An adapter on the CPU where there is no other. */
  any: layer({ software: "allow" }),
  hardware: layer({ software: false }),
}
