import { assert, describe, it } from "@effect/vitest"
import { hashedEmbeddings, scriptedLanguageModel } from "@espalier/llm"
import { Effect, Layer, Schema } from "effect"
import type { EmbeddingModel, LanguageModel } from "effect/ai"
import type { Agent, AgentSession, Portfolio } from "./agent.ts"
import {
  buyAndHold,
  momentum,
  movingAverageCross,
  newsSentiment,
  randomAgent,
} from "./baselines.ts"
import { embeddedAgent } from "./embedded_agent.ts"
import { languageModelAgent } from "./language_model_agent.ts"
import type { Lesson, Observation } from "./mod.ts"
import * as Trading from "./mod.ts"
import { profileOf } from "./profile.ts"
import { runAgent } from "./run_agent.ts"
import { dateOf, type MadeUpDay, makeMarket } from "./testing/market.ts"

const profile = profileOf("btc")

/** Answers by the prompt alone, so that a change of anything that is shown may change the answer. */
const model = scriptedLanguageModel(({ text }) => {
  const sum = Array.from(text).reduce((sum, letter) => sum + letter.charCodeAt(0), 0)
  const action = ["buy", "sell", "hold"][sum % 3]
  return JSON.stringify({ action, reason: `The sum is ${sum}.`, memoryIds: [1, sum % 9] })
})
const services = Layer.merge(model, hashedEmbeddings({ dimensions: 32 }))

const agents: ReadonlyArray<
  Agent<unknown, LanguageModel.LanguageModel | EmbeddingModel.EmbeddingModel>
> = [
  buyAndHold(),
  randomAgent({ seed: 3 }),
  momentum(),
  movingAverageCross(),
  movingAverageCross({ average: "exponential", fast: 2, slow: 4 }),
  newsSentiment(),
  embeddedAgent({ profile }),
  languageModelAgent({ profile }),
]

const Price = Schema.Finite.check(Schema.isBetween({ minimum: 1, maximum: 200 }))
const Label = Schema.Literals(["positive", "negative", "neutral"])
const Story = Schema.Tuple([Schema.Literals(["rates", "exchange", "ban", "fund"]), Label])
const Day = Schema.Struct({
  price: Price,
  stories: Schema.Array(Story).check(Schema.isMaxLength(3)),
})
const Days = Schema.Array(Day)

const daysOf = (days: typeof Days.Type): ReadonlyArray<MadeUpDay> =>
  days.map(({ price, stories }) => ({
    price,
    news: stories.map(([what, label]) => `news of ${what} (sentiment: ${label})`),
  }))

describe("PointInTime", () => {
  for (const agent of agents) {
    it.effect.prop(
      `${agent.name} (${agent.lookBack}) decides up to a day the same, whatever comes after it`,
      [
        Days.check(Schema.isMinLength(3), Schema.isMaxLength(14)),
        Days.check(Schema.isMinLength(2), Schema.isMaxLength(6)),
      ],
      ([days, instead]) =>
        Effect.gen(function* () {
          const today = Math.floor(days.length / 2)
          const past = daysOf(days.slice(0, today + 1))
          // Of a past that is long enough the beginning is a warm-up, whose lessons come along.
          const learnt = today >= 4 ? Math.floor(today / 2) : 0
          const decide = Effect.fnUntraced(function* (future: typeof Days.Type) {
            const all = [...past, ...daysOf(future)]
            const market = makeMarket(all)
            const run = (from: number, to: number, options?: Parameters<typeof runAgent>[3]) =>
              runAgent(agent, market, { from: dateOf(from), to: dateOf(to) }, options)
            const { state } =
              learnt === 0 ? { state: undefined } : yield* run(0, learnt - 1, { phase: "warm-up" })
            const { decisions } = yield* run(learnt, all.length - 1, { state })
            return decisions.slice(0, today + 1 - learnt)
          })
          assert.deepStrictEqual(yield* decide(instead), yield* decide(days.slice(today + 1)))
        }).pipe(Effect.provide(services), Effect.orDie),
      { arbitrary: { runs: 40 } },
    )
  }

  it.effect.prop(
    "observations know no later day",
    [
      Days.check(Schema.isMinLength(1)),
      Schema.Natural,
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 })),
    ],
    ([days, index, lookBack]) =>
      Effect.sync(() => {
        const today = index % days.length
        const date = dateOf(today)
        const observation = makeMarket(daysOf(days)).at(date, lookBack)!
        assert.deepStrictEqual(
          observation.prices.map(({ date }) => date),
          Array.from({ length: Math.min(today, lookBack) + 1 }, (_, i) =>
            dateOf(today - Math.min(today, lookBack) + i),
          ),
        )
        assert.strictEqual(observation.prices.at(-1)?.price, days[today].price)
        assert.strictEqual(observation.news.length, days[today].stories.length)
        assert.strictEqual(observation.sentiments.length, observation.prices.length - 1)
        // The same as of a market that ends today.
        const ended = makeMarket(daysOf(days.slice(0, today + 1))).at(date, lookBack)
        assert.deepStrictEqual(observation, ended)
      }),
  )

  it("says where there is no entry, and how long ago the last one was", () => {
    const market = makeMarket([1, 2])
    assert.isUndefined(market.at("2022-12-31"))
    assert.deepStrictEqual(
      [dateOf(0), dateOf(1)].map((date) => market.at(date)?.daysSince),
      [0, 1],
    )
    assert.deepStrictEqual([market.has(dateOf(1)), market.has(dateOf(2))], [true, false])
  })

  it("does not compile where an agent looks ahead", () => {
    const market = makeMarket([1, 2, 3])
    const observation: Observation = market.at(dateOf(0))!
    const lesson: Lesson = { observation, change: 0.1 }
    const portfolio = {} as Portfolio
    const session = {} as AgentSession
    const everything: typeof Trading = Trading
    const never = () => {
      // @ts-expect-error: an observation has no next price
      assert.isUndefined(observation.next)
      // @ts-expect-error: nor a change to come
      assert.isUndefined(observation.change)
      // @ts-expect-error: an observation is not made by hand
      const made: Observation = { ...lesson, date: dateOf(0), price: 1, prices: [] }
      // @ts-expect-error: nor is one with all of its fields: only a PointInTime gives them out
      const copied: Observation = {
        date: made.date,
        price: 1,
        prices: [{ date: dateOf(2), price: 3 }],
        daysSince: 1,
        news: [],
        sentiment: made.sentiment,
        sentiments: [],
        annual: [],
        quarterly: [],
      }
      // @ts-expect-error: what the warm-up shows is nothing to decide by
      assert.isDefined(session.decide(lesson, portfolio))
      // @ts-expect-error: an observation alone teaches nothing
      assert.isDefined(session.learn(copied))
      // @ts-expect-error: a rule is given an observation, and no outcome beside it
      Trading.makeRuleAgent("cheat", 0, (today: Observation, tomorrow: number) =>
        tomorrow > today.price ? "buy" : "sell",
      )
      // @ts-expect-error: the days of a market are private
      assert.isUndefined(market.days)
      // @ts-expect-error: nobody outside of the house is told outcomes
      assert.isUndefined(everything.outcomesOf)
      // @ts-expect-error: the broker's days are private
      assert.isUndefined(({} as Trading.Broker).days)
      // @ts-expect-error: a portfolio says what came out, not what will
      assert.isUndefined(portfolio.next)
    }
    assert.isFunction(never)
    assert.notProperty(Trading, "outcomesOf")
    assert.notProperty(market, "days")
  })
})
