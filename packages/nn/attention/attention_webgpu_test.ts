import { describe, it } from "@effect/vitest"
import { Device, HostArray, Interpreter, Program, Spec, Tensor } from "@espalier/tensor"
import { layer as webgpuLayer } from "@espalier/webgpu"
import { Context, Effect, Layer, Result, Scope } from "effect"
import { agrees, name, programs, run, sizes } from "../testing/attention.ts"
import { cachedAttention } from "./cached.ts"

const required = process.env["ESPALIER_REQUIRE_WEBGPU"] === "1"
const opened = await Layer.buildWithScope(webgpuLayer({ poison: true }), Scope.makeUnsafe()).pipe(
  Effect.result,
  Effect.runPromise,
)

if (Result.isSuccess(opened)) {
  const device = Context.get(opened.success, Device)
  const layer = Layer.succeed(Device, device)
  describe(`attention on webgpu, ${device.info.adapter}`, () => {
    for (const own of [
      sizes(2, 33, 33, 4, 2, 16, true),
      sizes(1, 20, 70, 2, 2, 8, true),
      sizes(2, 9, 11, 3, 3, 6, false),
    ]) {
      it.effect(`with its gradients: ${name(own)}`, () =>
        Effect.gen(function* () {
          const made = programs(own)
          const expected = yield* Effect.provide(run(made.plain, made.inputs), Interpreter.layer)
          agrees(yield* Effect.provide(run(made.fused, made.inputs), layer), expected, 3e-5)
        }),
      )
    }

    it.effect("to a cache", () =>
      Effect.gen(function* () {
        const program = Program.make(
          "decode",
          { q: Spec.f32([4, 8]), k: Spec.f32([40, 16]), v: Spec.f32([40, 16]), at: Spec.i32([]) },
          ({ q, k, v, at }) => cachedAttention(q, k, v, at),
        )
        const values = (shape: ReadonlyArray<number>) =>
          HostArray.make(
            shape,
            Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(i * 1.3)),
          )
        const given = { q: values([4, 8]), k: values([40, 16]), v: values([40, 16]), at: 33 }
        const attended = Effect.gen(function* () {
          const compiled = yield* Program.compile(program)
          return [yield* Tensor.toArray(yield* compiled(given))]
        }).pipe(Effect.scoped)
        const expected = yield* Effect.provide(attended, Interpreter.layer)
        agrees(yield* Effect.provide(attended, layer), expected, 1e-5)
      }),
    )
  })
} else if (required) {
  throw opened.failure
} else {
  describe("attention on webgpu", () =>
    it("needs an adapter", (context) => {
      context.skip(opened.failure.message)
    }))
}
