import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { HostFallbacks } from "./host_fallbacks.ts"

describe("HostFallbacks", () => {
  it.effect("collects each operation once, sorted", () =>
    Effect.gen(function* () {
      const work = Effect.all([
        HostFallbacks.record("sort"),
        HostFallbacks.record("LinearAlgebra"),
        HostFallbacks.record("sort"),
      ])
      const [, fallbacks] = yield* HostFallbacks.collect(work)
      assert.deepStrictEqual(fallbacks, ["LinearAlgebra", "sort"])
      yield* work
    }),
  )

  it.effect("two collections do not mix", () =>
    Effect.gen(function* () {
      const [[, a], [, b]] = yield* Effect.all(
        [
          HostFallbacks.collect(HostFallbacks.record("a")),
          HostFallbacks.collect(HostFallbacks.record("b")),
        ],
        { concurrency: 2 },
      )
      assert.deepStrictEqual([a, b], [["a"], ["b"]])
    }),
  )
})
