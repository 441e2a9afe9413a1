import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { runTasks } from "./schedule.ts"

const Count = (from: number, to: number) =>
  Schema.Int.check(Schema.isBetween({ minimum: from, maximum: to }))

/** Runs tasks that each yield a few times; tells the order of beginnings and the most at once. */
const watch = Effect.fnUntraced(function* (
  needs: ReadonlyArray<ReadonlyArray<number>>,
  jobs: number,
) {
  const [began, ended] = [new Array<number>(), new Set<number>()]
  let [now, most] = [0, 0]
  yield* runTasks(needs, jobs, (task) =>
    Effect.gen(function* () {
      began.push(task)
      now++
      most = Math.max(most, now)
      for (const needed of needs[task]) assert.isTrue(ended.has(needed))
      for (let i = 0; i < 1 + ((task * 7) % 5); i++) yield* Effect.yieldNow
      now--
      ended.add(task)
    }),
  )
  return { began, most }
})

describe("runTasks", () => {
  it.effect.prop(
    "does each task once, after all that it needs, and never more at once than asked for",
    { count: Count(0, 40), jobs: Count(1, 5), seed: Count(0, 1e6) },
    ({ count, jobs, seed }) =>
      Effect.gen(function* () {
        const needs = Array.from({ length: count }, (_, task) =>
          Array.from({ length: task }, (__, other) => other).filter(
            (other) => (other * 31 + task * 17 + seed) % 7 === 0,
          ),
        )
        const { began, most } = yield* watch(needs, jobs)
        assert.deepStrictEqual(new Set(began), new Set(needs.keys()))
        assert.lengthOf(began, count)
        assert.isAtMost(most, jobs)
        if (jobs === 1) assert.deepStrictEqual(began, [...needs.keys()])
      }),
  )

  it.effect("begins what can begin, the first ones first", () =>
    Effect.gen(function* () {
      const { began, most } = yield* watch([[], [0], [], [], [0, 2]], 2)
      assert.deepStrictEqual(began.slice(0, 2), [0, 2])
      assert.strictEqual(most, 2)
    }),
  )

  it.effect("ends everything with what a task fails with", () =>
    Effect.gen(function* () {
      const began: Array<number> = []
      const failed = runTasks([[], [], []], 2, (task) => {
        began.push(task)
        return task === 0 ? Effect.andThen(Effect.yieldNow, Effect.fail("spoiled")) : Effect.never
      })
      assert.strictEqual(yield* Effect.flip(failed), "spoiled")
      assert.deepStrictEqual(began, [0, 1])
    }),
  )
})
