import { describe, it } from "@effect/vitest"
import { Device, Kernel, Tensor } from "@espalier/tensor"
import { layer as webgpuLayer } from "@espalier/webgpu"
import { Context, Effect, Layer, Result, Scope } from "effect"
import { quantizedLinear } from "./packed_linear.ts"
import type { PackedBits } from "./sizes.ts"
import { packedWgsl } from "./wgsl.ts"
import { checkProduct, describePacked, smallCases } from "../testing/packed_linear.ts"

const required = process.env["ESPALIER_REQUIRE_WEBGPU"] === "1"
const opened = await Layer.buildWithScope(
  webgpuLayer({ software: "allow", poison: true }),
  Scope.makeUnsafe(),
).pipe(Effect.result, Effect.runPromise)

/** The kernel as GPUs get it: words are shared by a workgroup. */
const shared = Kernel.define({
  name: "quantized linear on a GPU",
  reference: ([x, codes, scales, zeros]) => [quantizedLinear(x, { codes, scales, zeros })],
  wgsl: (target, { inputs: [x, codes, scales] }) => {
    const [rows, inputs] = x.shape
    const [outputs, groups] = scales.shape
    const [tiles, chunks, bits] = codes.shape
    const sizes = { rows, inputs, outputs, tiles, chunks, groups, bits: bits as PackedBits }
    return packedWgsl({ ...target, software: false }, sizes)
  },
})

if (Result.isSuccess(opened)) {
  const device = Context.get(opened.success, Device)
  const layer = Layer.succeed(Device, device)
  describePacked(`webgpu, ${device.info.adapter}`, layer, smallCases)

  describe("packedWgsl", () => {
    it.effect("adds up in workgroups what one invocation adds up alone", () =>
      Effect.gen(function* () {
        for (const each of smallCases) {
          yield* checkProduct(each, (x, { codes, scales, zeros }) => {
            const rows = Tensor.reshape(x, [-1, x.shape[x.shape.length - 1]])
            const [found] = shared([rows, codes, scales, zeros], {})
            return Tensor.reshape(found, [...x.shape.slice(0, -1), each.outputs])
          })
        }
      }).pipe(Effect.provide(layer)),
    )
  })
} else if (required) {
  throw opened.failure
} else {
  describe("quantizedLinear on webgpu", () =>
    it("needs an adapter", (context) => {
      context.skip(opened.failure.message)
    }))
}
