import { assert, describe, it } from "@effect/vitest"
import { Checkpoint, makeMemoryCheckpoints, Progress } from "@espalier/runtime"
import { DeviceArray, Interpreter } from "@espalier/tensor"
import { Effect } from "effect"
import { regression } from "./testing/regression.ts"
import { train } from "./train.ts"
import type { TrainEvent } from "./train_event.ts"

/** Evaluations that give these numbers, one after the other. */
const scripted = (values: ReadonlyArray<number>, every: number, patience?: number) => {
  let next = 0
  const seen: Array<ReadonlyArray<number>> = []
  const evaluate = {
    every,
    run: ({ bias }: { readonly bias: DeviceArray.DeviceArray }) =>
      Effect.gen(function* () {
        seen.push(yield* DeviceArray.toArray(bias))
        return values[next++]
      }),
    ...(patience === undefined ? {} : { patience }),
  }
  return { evaluate, seen }
}

const few = { ...regression, steps: 10 }

describe("evaluation during training", () => {
  it.effect("happens before, as often as it should and at the end, and changes nothing", () =>
    Effect.gen(function* () {
      const { evaluate } = scripted([9, 5, 3, 4, 6], 3)
      const found = yield* train({ ...few, evaluate })
      const plain = yield* train(few)
      assert.deepStrictEqual(found.evaluations, [
        { step: 0, value: 9 },
        { step: 3, value: 5 },
        { step: 6, value: 3 },
        { step: 9, value: 4 },
        { step: 10, value: 6 },
      ])
      assert.deepStrictEqual(found.parameters, plain.parameters)
      assert.deepStrictEqual(found.losses, plain.losses)
      const six = yield* train({ ...few, steps: 6 })
      assert.deepStrictEqual(found.best, { step: 6, value: 3, parameters: six.parameters })
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("ends the run when patience does, with the best parameters kept", () =>
    Effect.gen(function* () {
      const { evaluate } = scripted([9, 5, 3, 3, 4], 2, 2)
      const events: Array<TrainEvent> = []
      const onEvent = (event: TrainEvent) => Effect.sync(() => void events.push(event))
      const found = yield* train({ ...few, evaluate, onEvent })
      assert.lengthOf(found.losses, 8)
      assert.deepStrictEqual([found.best?.step, found.best?.value], [4, 3])
      const four = yield* train({ ...few, steps: 4 })
      assert.deepStrictEqual(found.best?.parameters, four.parameters)
      assert.deepStrictEqual(events.at(-1), { _tag: "StoppedEarly", step: 8, best: 4 })
      const judged = events.filter((event) => event._tag === "Evaluated")
      assert.deepStrictEqual(
        judged.map(({ isBest }) => isBest),
        [true, true, true, false, false],
      )
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("interrupted, is made up for before the next step", () =>
    Effect.gen(function* () {
      const store = makeMemoryCheckpoints()
      const bias = ({ bias }: { readonly bias: DeviceArray.DeviceArray }) =>
        Effect.map(DeviceArray.toArray(bias), ([value]) => Math.abs(value))
      const unbroken = yield* train({ ...few, evaluate: { every: 4, run: bias } })
      let calls = 0
      const stopped = train({
        ...few,
        evaluate: { every: 4, run: (p) => (calls++ === 1 ? Effect.interrupt : bias(p)) },
      })
      yield* Effect.exit(stopped.pipe(Effect.provideService(Checkpoint, store)))
      const steps: Array<number> = []
      const resumed = yield* train({ ...few, evaluate: { every: 4, run: bias } }).pipe(
        Effect.provideService(Checkpoint, store),
        Effect.provideService(Progress, {
          report: ({ completed }) => Effect.sync(() => void steps.push(completed)),
        }),
      )
      assert.strictEqual(steps[0], 5)
      assert.deepStrictEqual(resumed, unbroken)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("that gives no number is an error that names it", () =>
    Effect.gen(function* () {
      const { evaluate } = scripted([9, Number.NaN], 2)
      const error = yield* Effect.flip(train({ ...few, evaluate }))
      if (error._tag !== "NonFinite") return assert.fail(error.message)
      assert.deepStrictEqual([error.node, error.step], ["the evaluation", 2])
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("keeps what it began with where that is best", () =>
    Effect.gen(function* () {
      const { evaluate } = scripted([1, 2, 3], 5)
      const { best } = yield* train({ ...few, evaluate })
      assert.strictEqual(best?.step, 0)
      const { w } = regression.parameters.layers[0]
      const kept = best?.parameters.layers[0].w.data ?? []
      w.data.forEach((value, i) => assert.strictEqual(kept[i], value))
    }).pipe(Effect.provide(Interpreter.layer)),
  )
})

describe("the moving average", () => {
  it.effect("is that of the parameters after each step, with the decay of its beginning", () =>
    Effect.gen(function* () {
      const { average } = yield* train({ ...few, steps: 6, average: 0.3 })
      let expected = Array.from(regression.parameters.layers[0].w.data)
      for (let step = 1; step <= 6; step++) {
        const { parameters } = yield* train({ ...few, steps: step })
        const decay = Math.min(0.3, (1 + step) / (10 + step))
        const now = parameters.layers[0].w.data
        expected = expected.map((old, i) => decay * old + (1 - decay) * now[i])
      }
      const found = average?.layers[0].w.data ?? []
      expected.forEach((value, i) => assert.closeTo(found[i], value, 1e-12))
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("is what evaluations see, and leaves the parameters alone", () =>
    Effect.gen(function* () {
      const { evaluate, seen } = scripted([3, 1, 2], 5)
      const found = yield* train({ ...few, evaluate, average: 0.9 })
      assert.deepStrictEqual(seen[2], Array.from(found.average?.bias.data ?? []))
      const plain = yield* train(few)
      assert.deepStrictEqual(found.parameters, plain.parameters)
      assert.notDeepEqual(found.average, plain.parameters)
    }).pipe(Effect.provide(Interpreter.layer)),
  )
})
