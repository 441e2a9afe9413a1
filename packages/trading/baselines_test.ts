import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Agent } from "./agent.ts"
import {
  buyAndHold,
  momentum,
  movingAverageCross,
  newsSentiment,
  randomAgent,
} from "./baselines.ts"
import { runAgent } from "./run_agent.ts"
import { type MadeUpDay, makeMarket, wholeWindow } from "./testing/market.ts"

const actionsOf = (agent: Agent, days: ReadonlyArray<number | MadeUpDay>) =>
  Effect.runSync(runAgent(agent, makeMarket(days), wholeWindow(days.length))).decisions.map(
    ({ action }) => action,
  )

describe("baselines", () => {
  it("buy and hold", () => {
    assert.deepStrictEqual(actionsOf(buyAndHold(), [3, 2, 1]), ["buy", "buy", "buy"])
  })

  it("follow the price of so many entries before", () => {
    assert.deepStrictEqual(actionsOf(momentum(), [5, 6, 7, 8, 6, 6, 1]), [
      "hold",
      "hold",
      "hold",
      "buy",
      "hold",
      "sell",
      "sell",
    ])
  })

  it("buy while the fast average is above the slow one, simple and exponential", () => {
    const rising = Array.from({ length: 40 }, (_, i) => 100 + i)
    const falling = rising.toReversed()
    for (const average of ["simple", "exponential"] as const) {
      const agent = movingAverageCross({ average })
      // Not inverted: what rises is bought.
      assert.strictEqual(actionsOf(agent, rising).at(-1), "buy")
      assert.strictEqual(actionsOf(agent, falling).at(-1), "sell")
      assert.strictEqual(actionsOf(agent, rising)[18], "hold")
    }
    assert.deepStrictEqual(actionsOf(movingAverageCross({ fast: 1, slow: 2 }), [1, 2, 2, 1]), [
      "hold",
      "buy",
      "hold",
      "sell",
    ])
  })

  it("go by the labels of the news", () => {
    const [up, down, even] = ["positive", "negative", "neutral"].map(
      (word) => `x (sentiment:${word})`,
    )
    const days = [[up, up, down], [down, even], [up, down], [], [even]].map((news) => ({
      price: 1,
      news,
    }))
    assert.deepStrictEqual(actionsOf(newsSentiment(), days), [
      "buy",
      "sell",
      "hold",
      "hold",
      "hold",
    ])
  })

  it("draw actions as often as each other, the same for a seed and a date", () => {
    const days = Array.from({ length: 900 }, () => 1)
    const drawn = actionsOf(randomAgent({ seed: 1 }), days)
    for (const action of ["buy", "sell", "hold"] as const) {
      assert.closeTo(drawn.filter((each) => each === action).length, 300, 60)
    }
    assert.deepStrictEqual(
      actionsOf(randomAgent({ seed: 1 }), days.slice(0, 30)),
      drawn.slice(0, 30),
    )
    assert.notDeepEqual(actionsOf(randomAgent({ seed: 2 }), days), drawn)
  })
})
