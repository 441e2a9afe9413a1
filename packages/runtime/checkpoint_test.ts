import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { Checkpoint, makeMemoryCheckpoints } from "./checkpoint.ts"

describe("Checkpoint", () => {
  it.effect("keeps nothing by default", () =>
    Effect.gen(function* () {
      yield* Checkpoint.save("a", { x: Uint8Array.of(1) })
      assert.isTrue(Option.isNone(yield* Checkpoint.load("a")))
      yield* Checkpoint.clear("a")
    }),
  )

  it.effect("in memory: load gives what was saved last, apart from later writes to it", () =>
    Effect.gen(function* () {
      const bytes = Uint8Array.of(1)
      yield* Checkpoint.save("a", { x: Uint8Array.of(9) })
      yield* Checkpoint.save("a", { x: bytes })
      bytes[0] = 7
      const loaded = Option.getOrThrow(yield* Checkpoint.load("a"))
      assert.deepStrictEqual([...loaded.x], [1])
      assert.isTrue(Option.isNone(yield* Checkpoint.load("b")))
      yield* Checkpoint.clear("a")
      assert.isTrue(Option.isNone(yield* Checkpoint.load("a")))
    }).pipe(Effect.provideService(Checkpoint, makeMemoryCheckpoints())),
  )

  it.effect("a loop goes on where it failed", () =>
    Effect.gen(function* () {
      let steps = 0
      const countTo = (end: number, failAt: number) =>
        Effect.gen(function* () {
          let n = Option.match(yield* Checkpoint.load("n"), {
            onNone: () => 0,
            onSome: (files) => files.n[0],
          })
          while (n < end) {
            if (n === failAt) return yield* Effect.fail("killed")
            n++
            steps++
            yield* Checkpoint.save("n", { n: Uint8Array.of(n) })
          }
          return n
        })
      yield* Effect.flip(countTo(5, 3))
      assert.strictEqual(yield* countTo(5, -1), 5)
      assert.strictEqual(steps, 5)
    }).pipe(Effect.provideService(Checkpoint, makeMemoryCheckpoints())),
  )
})
