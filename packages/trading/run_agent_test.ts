import { assert, describe, it } from "@effect/vitest"
import { hashedEmbeddings } from "@espalier/llm"
import { Checkpoint, makeMemoryCheckpoints, Progress } from "@espalier/runtime"
import { Effect, Schema } from "effect"
import type { Agent, AgentSession } from "./agent.ts"
import { momentum } from "./baselines.ts"
import { embeddedAgent } from "./embedded_agent.ts"
import { countMemories } from "./memory_agent.ts"
import { profileOf } from "./profile.ts"
import { runAgent } from "./run_agent.ts"
import { dateOf, makeMarket, wholeWindow } from "./testing/market.ts"

const stories = ["rates rise", "a fund opens", "an exchange fails", "nothing happens"]
const labels = ["negative", "positive", "negative", "neutral"]
const days = Array.from({ length: 30 }, (_, i) => ({
  price: 100 + 10 * Math.sin(i / 2) + (i % 4),
  news: [
    `${stories[i % 4]} on day ${i} (sentiment:${labels[i % 4]})`,
    "prices move (sentiment:positive)",
  ],
}))
const market = makeMarket(days)
const warmUp = { from: dateOf(0), to: dateOf(9) }
const test = { from: dateOf(10), to: dateOf(29) }
const agent = embeddedAgent({ profile: profileOf("btc") })

/** An agent that is stopped by what a broken run looks like: its process dies on a day. */
class Stopped extends Schema.TaggedError<Stopped>()("Stopped", { hint: Schema.String }) {}

const stopping = <E, R>(agent: Agent<E, R>, after: number): Agent<E | Stopped, R> => ({
  ...agent,
  begin: (saved) =>
    Effect.map(agent.begin(saved), (session): AgentSession<E | Stopped, R> => {
      let left = after
      const stop = Effect.suspend(() =>
        left-- > 0 ? Effect.void : Effect.fail(new Stopped({ hint: "go on" })),
      )
      return {
        ...session,
        // Some of the day's work is done already.
        decide: (observation, portfolio) =>
          Effect.tap(session.decide(observation, portfolio), () => stop),
        learn: (lesson) => Effect.tap(session.learn(lesson), () => stop),
      }
    }),
})

describe("runAgent", () => {
  it.effect("goes on after the last whole day, with the same bytes in the end", () =>
    Effect.gen(function* () {
      const store = makeMemoryCheckpoints()
      const learnt = yield* runAgent(agent, market, warmUp, { phase: "warm-up" })
      const options = { state: learnt.state, checkpoint: "test" }
      const whole = yield* runAgent(agent, market, test, options)
      const seen: Array<number> = []
      const run = <E, R>(agent: Agent<E, R>) =>
        runAgent(agent, market, test, options).pipe(
          Effect.provideService(Checkpoint, store),
          Effect.provideService(Progress, {
            report: ({ completed }) => Effect.sync(() => void seen.push(completed)),
          }),
        )
      for (const after of [0, 5, 1, 7]) {
        const error = yield* Effect.flip(run(stopping(agent, after)))
        assert.strictEqual(error._tag, "Stopped")
      }
      assert.deepStrictEqual(seen, [0, 0, 1, 2, 3, 4, 5, 5, 6, 6, 7, 8, 9, 10, 11, 12, 13])
      const resumed = yield* run(agent)
      assert.strictEqual(resumed.resumed, 13)
      assert.strictEqual(JSON.stringify(resumed.decisions), JSON.stringify(whole.decisions))
      assert.strictEqual(JSON.stringify(resumed.state), JSON.stringify(whole.state))
      assert.deepStrictEqual(resumed.directions, whole.directions)
    }).pipe(Effect.provide(hashedEmbeddings({ dimensions: 64 }))),
  )

  it.effect("learns in the warm-up what it goes by in the test", () =>
    Effect.gen(function* () {
      const learnt = yield* runAgent(agent, market, warmUp, { phase: "warm-up" })
      assert.strictEqual(learnt.decisions.length, 10)
      assert.strictEqual(countMemories(learnt.state)?.reflection, 10)
      // The right action is the one that the next day's change rewards, not its opposite.
      for (const [i, { action }] of learnt.decisions.entries()) {
        assert.strictEqual(action, days[i + 1].price > days[i].price ? "buy" : "sell")
      }
      const fresh = yield* runAgent(agent, market, test)
      const taught = yield* runAgent(agent, market, test, { state: learnt.state })
      assert.notDeepEqual(taught.decisions, fresh.decisions)
      const recalled = taught.decisions[0].recalled ?? []
      assert.isTrue(recalled.some(({ layer, date }) => layer === "reflection" && date < test.from))
      const shown = new Set(recalled.map(({ id }) => id))
      assert.isTrue(taught.decisions[0].cited?.every((id) => shown.has(id)))
      // Each decision of the test is reflected on when it is settled: those of all days but the last.
      assert.strictEqual(countMemories(taught.state)?.reflection, 10 + 19)
    }).pipe(Effect.provide(hashedEmbeddings({ dimensions: 64 }))),
  )

  it.effect("teaches nothing of a last day whose outcome nobody knows", () =>
    Effect.gen(function* () {
      const run = yield* runAgent(agent, market, wholeWindow(30), { phase: "warm-up" })
      assert.strictEqual(run.decisions.length, 29)
    }).pipe(Effect.provide(hashedEmbeddings({ dimensions: 64 }))),
  )

  it.effect("refuses states and checkpoints of others", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(runAgent(agent, market, test, { state: { memory: 3 } }))
      assert.match(error.message, /saved state of default cannot be used/)
      const store = makeMemoryCheckpoints()
      const options = { checkpoint: "same" }
      const other = Effect.gen(function* () {
        yield* runAgent(momentum(), market, warmUp, options)
        return yield* Effect.flip(runAgent(momentum(), market, test, options))
      })
      const { message } = yield* Effect.provideService(other, Checkpoint, store)
      assert.match(message, /checkpoint is of other days/)
    }).pipe(Effect.provide(hashedEmbeddings({ dimensions: 64 }))),
  )
})
