import { assert, it } from "@effect/vitest"
import { Ir, Device } from "@espalier/tensor"
import { Context, Effect, Fiber, Layer } from "effect"
import * as WebGpu from "./mod.ts"
import { describeOn, openDevice, values } from "./testing/harness.ts"
import * as Kernels from "./testing/kernels.ts"

const device = await openDevice()

/** A device of its own, and how to lose it. */
const openFragile = Effect.gen(function* () {
  let lose = () => {}
  const layer = WebGpu.layer({ onDevice: (gpu) => (lose = () => gpu.destroy()) })
  const context = yield* Layer.build(layer)
  return { device: Context.get(context, Device), lose: () => lose() }
})

describeOn(device, "a device that is lost", () => {
  const kernel = Kernels.contract(1, 256, 256, 256)

  it.effect("fails what is running and all that comes after, and a new one works", () =>
    Effect.gen(function* () {
      const { device, lose } = yield* openFragile
      const executable = yield* device.compile(Ir.scheduleOf(kernel))
      const inputs = yield* Effect.forEach(kernel.operands.slice(0, 3), ({ length }) =>
        device.allocate("f32", length),
      )
      const output = yield* device.allocate("f32", 256 * 256)
      for (const input of inputs) yield* device.write(input, "f32", values(input.bytes / 4))
      yield* executable.run(inputs, [output])
      const reading = yield* Effect.forkChild(Effect.flip(device.read(output, "f32", 256 * 256)))
      yield* Effect.yieldNow
      lose()
      assert.strictEqual((yield* Fiber.join(reading))._tag, "DeviceLost")
      const later = [
        yield* Effect.flip(device.write(output, "f32", values(9))),
        yield* Effect.flip(device.read(output, "f32", 9)),
        yield* Effect.flip(executable.run(inputs, [output])),
      ]
      for (const failure of later) {
        assert.strictEqual(failure._tag, "DeviceLost")
        assert.include(failure.message, "make a new device")
      }
      const refused = yield* Effect.flip(device.compile(Ir.scheduleOf(Kernels.map(3, 4))))
      assert.include(refused.message, "was lost")
      device.free(output)

      const again = yield* openFragile
      const buffer = yield* again.device.allocate("f32", 9)
      yield* again.device.write(buffer, "f32", values(9))
      assert.deepStrictEqual(yield* again.device.read(buffer, "f32", 9), values(9))
    }).pipe(Effect.scoped),
  )
  it.effect("is noticed by a run in the same moment", () =>
    Effect.gen(function* () {
      const { device, lose } = yield* openFragile
      const executable = yield* device.compile(Ir.scheduleOf(Kernels.unary("exp", 4)))
      const [x, y] = [yield* device.allocate("f32", 4), yield* device.allocate("f32", 4)]
      lose()
      const ran = Effect.andThen(executable.run([x], [y]), device.read(y, "f32", 4))
      assert.strictEqual((yield* Effect.flip(ran))._tag, "DeviceLost")
    }).pipe(Effect.scoped),
  )
})
