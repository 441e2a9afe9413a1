import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { makeWorkplace } from "./testing/workplace.ts"

const count = 2000

/** Steps in layers of ten, each of which takes one of the layer before. */
const wide = `name: wide
steps:
  s0: { use: test/read, path: story.txt }
${Array.from({ length: count - 1 }, (_, i) => {
  const needed = Math.max(0, i + 1 - 10 - (i % 7))
  return `  s${i + 1}: { use: test/shout, text: $s${needed} }\n`
}).join("")}`

const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const before = yield* Clock.currentTimeMillis
    const value = yield* effect
    return [value, (yield* Clock.currentTimeMillis) - before] as const
  })

layer(NodeServices.layer, { excludeTestServices: true, timeout: 120_000 })("2,000 steps", (it) => {
  it.effect(
    "plan in about a second and run with some milliseconds each, and memory stays flat",
    () =>
      Effect.gen(function* () {
        const { load, plan, run, write } = yield* makeWorkplace
        yield* write("story.txt", "Once upon a time")
        const [, loading] = yield* timed(load(wide))
        const [planned, planning] = yield* timed(plan(wide))
        assert.lengthOf(planned, count)
        const before = process.memoryUsage().heapUsed
        const [record, running] = yield* timed(run(wide))
        assert.strictEqual(record.status, "done")
        const [again, rerunning] = yield* timed(run(wide))
        assert.isTrue(Object.values(again.steps).every(({ status }) => status === "cached"))
        const [, planningAgain] = yield* timed(plan(wide))
        const grown = (process.memoryUsage().heapUsed - before) / 2 ** 20
        yield* Effect.log({ loading, planning, running, rerunning, planningAgain, grown })
        // Several times what it takes on two quiet cores: a machine that is busy is no failure.
        assert.isBelow(planning, 5_000)
        assert.isBelow(running / count, 20)
        assert.isBelow(grown, 200)
      }),
    120_000,
  )
})
