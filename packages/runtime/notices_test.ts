import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Notices } from "./notices.ts"

describe("Notices", () => {
  it.effect("keeps their order and says each once", () =>
    Effect.gen(function* () {
      const [value, notices] = yield* Notices.collect(
        Effect.as(Effect.forEach(["z", "a", "z"], Notices.report), 1),
      )
      assert.strictEqual(value, 1)
      assert.deepStrictEqual(notices, ["z", "a"])
    }),
  )
})
