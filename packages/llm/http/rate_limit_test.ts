import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { makeGate, type RateLimit } from "./rate_limit.ts"

/** Seconds at which calls of these sizes were let through. */
const passed = Effect.fnUntraced(function* (limit: RateLimit, calls: ReadonlyArray<number>) {
  const gate = yield* makeGate(limit)
  const times = Effect.forEach(calls, (tokens) =>
    Effect.andThen(
      gate(tokens),
      Effect.map(Clock.currentTimeMillis, (now) => now / 1000),
    ),
  )
  const fiber = yield* Effect.forkChild(times)
  yield* TestClock.adjust("10 minutes")
  return yield* Fiber.join(fiber)
})

describe("a gate", () => {
  it.effect("lets a minute's requests through at once, and the rest as they are allowed", () =>
    Effect.gen(function* () {
      const times = yield* passed({ requestsPerMinute: 3 }, [1, 1, 1, 1, 1])
      assert.deepStrictEqual(times.slice(0, 3), [0, 0, 0])
      assert.closeTo(times[3], 20, 1)
      assert.closeTo(times[4], 40, 1)
    }),
  )

  it.effect(
    "counts tokens, and lets a call that is larger than a minute's through in the end",
    () =>
      Effect.gen(function* () {
        const times = yield* passed({ tokensPerMinute: 600 }, [300, 300, 100, 5000])
        assert.deepStrictEqual(times.slice(0, 2), [0, 0])
        assert.closeTo(times[2], 10, 1)
        assert.isAtMost(times[3], 140)
      }),
  )

  it.effect("is open where there is no limit", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* passed({}, [1e9, 1e9]), [0, 0])
    }),
  )
})
