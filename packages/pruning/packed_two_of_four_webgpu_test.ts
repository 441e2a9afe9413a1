import { assert, describe, it } from "@effect/vitest"
import { Device, Kernel, Program, Spec, Tensor } from "@espalier/tensor"
import { layer as webgpuLayer } from "@espalier/webgpu"
import { Context, Effect, Layer, Result, Scope } from "effect"
import { packTwoOfFour, twoOfFourLinear } from "./packed_two_of_four.ts"
import { packedWgsl } from "./packed_two_of_four_wgsl.ts"
import { describeTwoOfFour, drawTwoOfFour, smallCases } from "./testing/packed_two_of_four.ts"

const required = process.env["ESPALIER_REQUIRE_WEBGPU"] === "1"
const opened = await Layer.buildWithScope(
  webgpuLayer({ software: "allow", poison: true }),
  Scope.makeUnsafe(),
).pipe(Effect.result, Effect.runPromise)

/** The kernel as GPUs get it: groups are shared by a workgroup. */
const shared = Kernel.define({
  name: "two of four on a GPU",
  reference: ([x, values, places]) => [twoOfFourLinear(x, { values, places })],
  wgsl: (target, { inputs: [x, , , values] }) => {
    const [tiles, groups] = values.shape
    return packedWgsl({ ...target, software: false }, { rows: x.shape[0], tiles, groups })
  },
})

if (Result.isSuccess(opened)) {
  const device = Context.get(opened.success, Device)
  const layer = Layer.succeed(Device, device)
  describeTwoOfFour(`webgpu, ${device.info.adapter}`, layer, smallCases)

  describe("packedWgsl", () => {
    it.effect("adds up in workgroups what one invocation adds up alone", () =>
      Effect.gen(function* () {
        const packed = Result.getOrThrow(packTwoOfFour(drawTwoOfFour(12, 140, 1)))
        const program = Program.make("both", Spec.of(packed), ({ values, places }) => {
          const x = Tensor.sin(Tensor.cast(Tensor.iota([2, 140], 1), "f32"))
          const [found] = shared([x, values, places, values], {})
          return Tensor.max(Tensor.abs(Tensor.sub(found, twoOfFourLinear(x, { values, places }))))
        })
        const run = yield* Program.compile(program)
        const [difference] = yield* Tensor.toArray(yield* run(packed))
        assert.isBelow(difference, 1e-5)
      }).pipe(Effect.scoped, Effect.provide(layer)),
    )
  })
} else if (required) {
  throw opened.failure
} else {
  describe("twoOfFourLinear on webgpu", () =>
    it("needs an adapter", (context) => {
      context.skip(opened.failure.message)
    }))
}
