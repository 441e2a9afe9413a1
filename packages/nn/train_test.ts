import { assert, describe, it } from "@effect/vitest"
import type { ProgressUpdate } from "@espalier/runtime"
import { Checkpoint, makeMemoryCheckpoints, Notices, Progress } from "@espalier/runtime"
import { Device, HostArray, Interpreter, Tensor } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import type { Layer } from "effect"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Layers from "./layers.ts"
import { adamW, sgd } from "./optimizers.ts"
import { constantRate } from "./schedules.ts"
import { mapped as batch, regression, weight } from "./testing/regression.ts"
import { train } from "./train.ts"
import type { TrainEvent } from "./train_event.ts"

const { parameters } = regression

const devices: ReadonlyArray<readonly [string, Layer.Layer<Device, unknown>]> = [
  ["interpreter", Interpreter.layer],
  ["wasm", wasmLayer({ poison: true })],
]

for (const [name, device] of devices) {
  describe(`train on ${name}`, () => {
    it.effect("finds the weights of a linear map", () =>
      Effect.gen(function* () {
        const { parameters: found, losses, gradientNorms } = yield* train(regression)
        assert.isBelow(losses[199], losses[0] / 1000)
        found.layers[0].w.data.forEach((w, i) => assert.closeTo(w, weight.data[i], 0.05))
        assert.strictEqual(losses.length, 200)
        assert.strictEqual(gradientNorms.length, 200)
      }).pipe(Effect.provide(device)),
    )

    it.effect("gives the same bits twice", () =>
      Effect.gen(function* () {
        const few = { ...regression, steps: 20 }
        assert.deepStrictEqual(yield* train(few), yield* train(few))
      }).pipe(Effect.provide(device)),
    )

    const stops = [
      // A crash leaves the checkpoint of the step before; an interruption saves its own.
      { how: "a crash", stop: Effect.die("crash"), checkpointSeconds: 0, next: 8 },
      { how: "an interruption", stop: Effect.interrupt, checkpointSeconds: 3600, next: 9 },
    ]
    for (const { how, stop, checkpointSeconds, next } of stops) {
      it.effect(`goes on after ${how} with the bits of an unbroken run`, () =>
        Effect.gen(function* () {
          const options = { ...regression, steps: 20, checkpointSeconds }
          const unbroken = yield* train(options)
          const store = makeMemoryCheckpoints()
          const batches: Array<number> = []
          const watched = train({
            ...options,
            batch: (step: number) => {
              batches.push(step)
              return batch(step)
            },
          }).pipe(Effect.provideService(Checkpoint, store))
          const stopped = watched.pipe(
            Effect.provideService(Progress, {
              report: ({ completed }) => (completed === 8 ? stop : Effect.void),
            }),
          )
          assert.strictEqual((yield* Effect.exit(stopped))._tag, "Failure")
          batches.length = 0
          const resumed = yield* watched
          // Step 1 gives the shapes.
          assert.deepStrictEqual(batches.slice(0, 3), [1, next, next + 1])
          assert.deepStrictEqual(resumed, unbroken)
          assert.strictEqual((yield* store.load("regression"))._tag, "None")
        }).pipe(Effect.provide(device)),
      )
    }

    it.effect("stops with NonFinite where the loss diverges, and names the step", () =>
      Effect.gen(function* () {
        const diverging = { ...regression, optimizer: sgd(), learningRate: constantRate(1e6) }
        const error = yield* Effect.flip(train(diverging))
        if (error._tag !== "NonFinite") return assert.fail(error.message)
        assert.strictEqual(error.program, "regression")
        assert.isAbove(error.step, 1)
        assert.include(error.message, "earning rate")
      }).pipe(Effect.provide(device)),
    )

    it.effect("leaves no memory behind, whether it ends well or not", () =>
      Effect.gen(function* () {
        const { statistics } = yield* Device
        const before = statistics()
        yield* train({ ...regression, steps: 5 })
        assert.strictEqual(statistics().liveBytes, before.liveBytes)
        assert.strictEqual(statistics().programs, before.programs)
        assert.isAbove(statistics().dispatches, before.dispatches)
        const rate = { optimizer: sgd(), learningRate: constantRate(1e6) }
        yield* Effect.flip(train({ ...regression, ...rate }))
        assert.strictEqual(statistics().liveBytes, before.liveBytes)
      }).pipe(Effect.provide(device)),
    )
  })
}

describe("train", () => {
  it.effect("ignores the checkpoint of another structure", () =>
    Effect.gen(function* () {
      const store = makeMemoryCheckpoints()
      yield* store.save("regression", {
        "state.json": new TextEncoder().encode('{"step":9}'),
        "arrays.bin": new Uint8Array(40),
      })
      const few = { ...regression, steps: 3 }
      const found = yield* train(few).pipe(Effect.provideService(Checkpoint, store))
      assert.deepStrictEqual(found, yield* train(few))
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("clips to the global norm: a step of plain descent is no longer than the limit", () =>
    Effect.gen(function* () {
      const step = (clip: number) =>
        train({ ...regression, optimizer: sgd(), learningRate: constantRate(1), clip, steps: 1 })
      const length = (found: Effect.Success<ReturnType<typeof step>>) => {
        const moved = (after: HostArray.HostArray, before: HostArray.HostArray) =>
          Array.from(after.data, (x, i) => x - before.data[i])
        const { layers, bias } = found.parameters
        return Math.hypot(
          ...moved(layers[0].w, parameters.layers[0].w),
          ...moved(bias, parameters.bias),
        )
      }
      const clipped = yield* step(0.01)
      const free = yield* step(1e9)
      assert.closeTo(length(clipped), 0.01, 1e-6)
      assert.closeTo(length(free), free.gradientNorms[0], 1e-9)
      // What is told is the norm before clipping.
      assert.deepStrictEqual(clipped.gradientNorms, free.gradientNorms)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("reports every step", () =>
    Effect.gen(function* () {
      const seen: Array<ProgressUpdate> = []
      yield* train({ ...regression, steps: 3 }).pipe(
        Effect.provideService(Progress, {
          report: (update) => Effect.sync(() => void seen.push(update)),
        }),
      )
      assert.deepStrictEqual(
        seen.map(({ task, completed, total, unit }) => [task, completed, total, unit]),
        [1, 2, 3].map((step) => ["regression", step, 3, "steps"]),
      )
      assert.match(seen[0].note ?? "", /^loss \d/)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("takes up the checkpoint of its own job only, and says so", () =>
    Effect.gen(function* () {
      const store = makeMemoryCheckpoints()
      const few = { ...regression, steps: 6, checkpointSeconds: 0 }
      const stopped = train({ ...few, job: "seed 1" }).pipe(
        Effect.provideService(Progress, {
          report: ({ completed }) => (completed === 4 ? Effect.interrupt : Effect.void),
        }),
        Effect.provideService(Checkpoint, store),
      )
      yield* Effect.exit(stopped)
      const seen: Array<number> = []
      const [other, notices] = yield* train({
        ...few,
        job: "seed 2",
        onEvent: ({ step }) => Effect.sync(() => void seen.push(step)),
      }).pipe(Effect.provideService(Checkpoint, store), Notices.collect)
      assert.strictEqual(seen[0], 1)
      assert.match(notices[0], /another job/)
      assert.deepStrictEqual(other, yield* train(few))
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("tells what happens as events", () =>
    Effect.gen(function* () {
      const events: Array<TrainEvent> = []
      yield* train({
        ...regression,
        steps: 4,
        learningRate: (step) => step / 100,
        items: { count: 8, unit: "rows" },
        checkpointSeconds: 0,
        onEvent: (event) =>
          Effect.andThen(
            Effect.sync(() => void events.push(event)),
            event._tag === "StepDone" ? TestClock.adjust("1 second") : Effect.void,
          ),
      })
      const done = events.filter((event) => event._tag === "StepDone")
      assert.deepStrictEqual(
        done.map(({ step, learningRate }) => [step, learningRate]),
        [1, 2, 3, 4].map((step) => [step, step / 100]),
      )
      assert.deepStrictEqual(
        done.map(({ itemsPerSecond, secondsLeft }) => [itemsPerSecond, secondsLeft]),
        [
          [undefined, undefined],
          [8, 2],
          [8, 1],
          [8, 0],
        ],
      )
      assert.isTrue(done.every(({ deviceBytes, loss }) => deviceBytes > 0 && loss > 0))
      const saved = events.filter((event) => event._tag === "Saved")
      assert.deepStrictEqual(
        saved.map(({ step }) => step),
        [1, 2, 3],
      )
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("trains no constants, and reads them", () =>
    Effect.gen(function* () {
      const constants = { base: weight }
      const { parameters: found } = yield* train({
        name: "adapter",
        parameters: { offset: HostArray.zeros([2, 4]) },
        constants,
        batch: (step) => batch(step),
        loss: ({ offset }, { x, y }, { base }) => {
          const made = Layers.linear(x, Tensor.add(base, Tensor.add(offset, 1)))
          return Tensor.mean(Tensor.square(Tensor.sub(made, y)))
        },
        optimizer: adamW(),
        learningRate: constantRate(0.05),
        steps: 200,
      })
      found.offset.data.forEach((value) => assert.closeTo(value, -1, 0.05))
      assert.strictEqual(constants.base, weight)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  const wrong = [
    { option: "steps", change: { steps: -1 } },
    { option: "accumulate", change: { accumulate: 1.5 } },
    { option: "average", change: { average: 1 } },
    { option: "clip", change: { clip: 0 } },
    { option: "evaluate.every", change: { evaluate: { every: 0, run: () => Effect.succeed(1) } } },
  ]
  for (const { option, change } of wrong) {
    it.effect(`refuses ${option} that makes no sense`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(train({ ...regression, ...change }))
        if (error._tag !== "InvalidTraining") return assert.fail(error.message)
        assert.strictEqual(error.option, option)
        assert.include(error.message, "Give a")
      }).pipe(Effect.provide(Interpreter.layer)),
    )
  }
})
