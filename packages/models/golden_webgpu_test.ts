import { describe, it } from "@effect/vitest"
import { Device } from "@espalier/tensor"
import { layer as webgpuLayer } from "@espalier/webgpu"
import { Context, Effect, Layer, Result, Scope } from "effect"
import { describeGolden } from "./testing/golden.ts"

// A software adapter takes a minute: it is for CI, which asks for it.
const required = process.env["ESPALIER_REQUIRE_WEBGPU"] === "1"
const opened = await Layer.buildWithScope(
  webgpuLayer({ software: required ? "allow" : false, poison: true }),
  Scope.makeUnsafe(),
).pipe(Effect.result, Effect.runPromise)

if (Result.isSuccess(opened)) {
  const device = Context.get(opened.success, Device)
  describeGolden(`webgpu, ${device.info.adapter}`, Layer.succeed(Device, device), 1e-4)
} else if (required) {
  throw opened.failure
} else {
  describe("float64 PyTorch on webgpu", () =>
    it("needs a GPU, or ESPALIER_REQUIRE_WEBGPU=1 to take a software adapter", (context) => {
      context.skip(opened.failure.message)
    }))
}
