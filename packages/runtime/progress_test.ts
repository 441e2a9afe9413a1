import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Progress, type ProgressUpdate } from "./progress.ts"

describe("Progress", () => {
  it.effect("says nothing by default", () => Progress.report({ task: "t", completed: 1 }))

  it.effect("tracks each item in order", () =>
    Effect.gen(function* () {
      const seen: Array<ProgressUpdate> = []
      const result = yield* Progress.track(["a", "b"], (item, i) => Effect.succeed(item + i), {
        task: "walking",
        unit: "blocks",
      }).pipe(
        Effect.provideService(Progress, {
          report: (update) => Effect.sync(() => void seen.push(update)),
        }),
      )
      assert.deepStrictEqual(result, ["a0", "b1"])
      assert.deepStrictEqual(
        seen,
        [0, 1, 2].map((completed) => ({ task: "walking", unit: "blocks", total: 2, completed })),
      )
    }),
  )

  it.effect("stops reporting where an item fails", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const error = yield* Progress.track(
        [1, 2, 3],
        (n) => (n === 2 ? Effect.fail("two") : Effect.succeed(n)),
        { task: "t" },
      ).pipe(
        Effect.provideService(Progress, {
          report: (update) => Effect.sync(() => void seen.push(update.completed)),
        }),
        Effect.flip,
      )
      assert.strictEqual(error, "two")
      assert.deepStrictEqual(seen, [0, 1])
    }),
  )
})
