import { assert, describe, it } from "@effect/vitest"
import { hashedEmbeddings } from "@espalier/llm"
import { Effect } from "effect"
import { type Action, directionOf } from "./action.ts"
import { LayeredMemory } from "./memory/layered_memory.ts"
import { type Choice, makeMemoryAgent, type Strategy } from "./memory_agent.ts"
import { profileOf } from "./profile.ts"
import { runAgent } from "./run_agent.ts"
import { dateOf, makeMarket } from "./testing/market.ts"

/** Goes by what it is told to, and rests on every memory of news. */
const telling = (actions: ReadonlyArray<Action>): Strategy & { readonly calm: Array<string> } => {
  const calm: Array<string> = []
  let day = 0
  const choose = (action: Action, cited: ReadonlyArray<number>): Choice => ({
    action,
    reason: "Told.",
    cited,
    invented: [],
  })
  return {
    calm,
    decide: ({ recalled, risk }) =>
      Effect.sync(() => {
        calm.push(risk)
        return choose(
          actions[day++] ?? "hold",
          recalled.map(({ id }) => id),
        )
      }),
    explain: ({ recalled }) =>
      Effect.sync(() =>
        choose(
          "buy",
          recalled.map(({ id }) => id),
        ),
      ),
  }
}

const story = (text: string, label = "neutral") => `${text} (sentiment:${label})`
const profile = profileOf("btc")
const embeddings = Effect.provide(hashedEmbeddings({ dimensions: 32 }))

const memoriesOf = (state: unknown) =>
  LayeredMemory.restore((state as { readonly memory: unknown }).memory)!.memories

describe("makeMemoryAgent", () => {
  it.effect(
    "gives what a decision went by the sign of its profit, a day later, before all fades",
    () =>
      Effect.gen(function* () {
        for (const [action, change] of [
          ["buy", 1],
          ["buy", -1],
          ["sell", -1],
          ["sell", 1],
          ["hold", 1],
        ] as const) {
          const market = makeMarket([{ price: 100, news: [story("first")] }, 100 + change])
          const agent = makeMemoryAgent("told", telling([action]), { profile })
          const window = { from: dateOf(0), to: dateOf(1) }
          const { state } = yield* runAgent(agent, market, window)
          const [first, reflection] = memoriesOf(state)
          const profit = directionOf(action) * change
          assert.strictEqual(first.importance, (50 * 0.92 + 5 * Math.sign(profit)) * 0.92)
          // The reflection came a day late, and says how the price went on.
          assert.deepStrictEqual(
            [reflection.layer, reflection.date, reflection.stance],
            ["reflection", dateOf(0), change],
          )
          assert.match(reflection.text, /^2023-01-01: 1 news .*Told\. Then [+−]1\.0 %\.$/)
        }
      }).pipe(embeddings),
  )

  it.effect("sees the change in the warm-up, and rewards what it explains it by", () =>
    Effect.gen(function* () {
      const market = makeMarket([{ price: 100, news: [story("first")] }, 98])
      const agent = makeMemoryAgent("told", telling([]), { profile })
      const window = { from: dateOf(0), to: dateOf(1) }
      const { state } = yield* runAgent(agent, market, window, { phase: "warm-up" })
      const [first, reflection] = memoriesOf(state)
      assert.strictEqual(first.importance, 55 * 0.92)
      // A fall is remembered as one: the sign is not turned round.
      assert.strictEqual(reflection.stance, -1)
      assert.match(reflection.text, /Then −2\.0 %\.$/)
    }).pipe(embeddings),
  )

  it.effect("lets as many days pass as the calendar says, and promotes labelled news at once", () =>
    Effect.gen(function* () {
      const market = makeMarket([
        { price: 100, news: [story("plain"), story("good", "positive")] },
        ...Array.from({ length: 9 }, () => 100),
      ])
      const agent = makeMemoryAgent("told", telling([]), { profile })
      const run = (days: number) =>
        Effect.map(runAgent(agent, market, { from: dateOf(0), to: dateOf(days) }), ({ state }) =>
          memoriesOf(state),
        )
      const [plain, good] = yield* run(1)
      assert.deepStrictEqual([plain.layer, plain.age], ["short", 2])
      // 70 · 0.92 = 64.4 rose to the middle, and is as young as if it had just come.
      assert.deepStrictEqual([good.layer, good.age], ["mid", 1])
      assert.closeTo(good.importance, 64.4 * 0.967, 1e-9)
      // Forgotten when exp(−9 / 3) < 0.05.
      assert.isTrue((yield* run(7)).some(({ text }) => text === "plain"))
      assert.isFalse((yield* run(8)).some(({ text }) => text === "plain"))
    }).pipe(embeddings),
  )

  it.effect("is careful while its last decisions lost, where its profile adapts", () =>
    Effect.gen(function* () {
      const market = makeMarket([100, 90, 80, 120, 130, 140])
      const strategy = telling(["buy", "buy", "buy", "buy", "buy"])
      const agent = makeMemoryAgent("told", strategy, { profile })
      yield* runAgent(agent, market, { from: dateOf(0), to: dateOf(5) })
      assert.deepStrictEqual(strategy.calm, [
        "seeking",
        "seeking",
        "averse",
        "averse",
        "seeking",
        "seeking",
      ])
    }).pipe(embeddings),
  )
})
