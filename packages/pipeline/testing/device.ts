import { Layer } from "effect"
import { PipelineDevice } from "../mod.ts"

/** A device that computes nothing. */
export const testDevice = (fingerprint = "test") => {
  let dispatches = 0
  return Layer.succeed(PipelineDevice, {
    kind: "wasm",
    adapter: "none",
    software: true,
    dispatches: () => dispatches++,
    fingerprint,
  })
}
