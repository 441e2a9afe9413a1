import { assert, it } from "@effect/vitest"
import { Checkpoint, makeMemoryCheckpoints } from "@espalier/runtime"
import { HostArray, Tensor } from "@espalier/tensor"
import * as WebGpu from "@espalier/webgpu"
import { Effect } from "effect"
import * as Layers from "./layers.ts"
import { adamW } from "./optimizers.ts"
import { constantRate } from "./schedules.ts"
import { hostNumbers } from "./testing/evaluate.ts"
import { train } from "./train.ts"

const batch = (step: number) => ({ x: hostNumbers([8, 4], step), y: hostNumbers([8, 2], -step) })

const options = {
  name: "fragile",
  parameters: { w: hostNumbers([2, 4], 1), bias: HostArray.make([2], [0.5, -0.5]) },
  batch,
  loss: (
    { w, bias }: { readonly w: Tensor.Tensor; readonly bias: Tensor.Tensor },
    { x, y }: { readonly x: Tensor.Tensor; readonly y: Tensor.Tensor },
  ) => Tensor.mean(Tensor.square(Tensor.sub(Tensor.add(Layers.linear(x, w), bias), y))),
  optimizer: adamW(),
  learningRate: constantRate(0.05),
  steps: 12,
  checkpointSeconds: 0,
}

it.effect(
  "a run that loses its GPU goes on from its checkpoint with the bits of an unbroken one",
  () =>
    Effect.gen(function* () {
      const unbroken = yield* train(options).pipe(Effect.provide(WebGpu.layer()))
      const store = makeMemoryCheckpoints()
      const taken: Array<number> = []
      let lose = () => {}
      const fragile = train({
        ...options,
        batch: (step: number) => {
          taken.push(step)
          if (step === 8) lose()
          return batch(step)
        },
      }).pipe(Effect.provideService(Checkpoint, store))
      const lost = yield* fragile.pipe(
        Effect.provide(WebGpu.layer({ onDevice: (device) => (lose = () => device.destroy()) })),
        Effect.flip,
      )
      assert.strictEqual(lost._tag, "DeviceLost")
      assert.include(lost.message, "make a new device")
      taken.length = 0
      lose = () => {}
      const resumed = yield* fragile.pipe(
        Effect.provide(WebGpu.layer()),
        Effect.provideService(Checkpoint, store),
      )
      // The shapes of a batch are asked of step 1.
      assert.deepStrictEqual(taken.filter((step) => step > 1).slice(0, 1), [8])
      assert.deepStrictEqual(resumed, unbroken)
    }).pipe(
      Effect.catchTag("DeviceUnavailable", (error) =>
        Effect.sync(() => console.warn(`SKIPPED: ${error.message}`)),
      ),
    ),
)
