import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import type { Direction } from "./action.ts"
import { Broker } from "./broker.ts"
import { type BrokerOptions, makeBrokerRules } from "./broker_options.ts"
import { dateOf, makeMarket, wholeWindow } from "./testing/market.ts"

const open = (prices: ReadonlyArray<number>, options: BrokerOptions = {}) =>
  Result.getOrThrow(Broker.open(makeMarket(prices), wholeWindow(prices.length), options))

const trade = (
  prices: ReadonlyArray<number>,
  directions: ReadonlyArray<Direction>,
  options: BrokerOptions = {},
) => {
  const broker = open(prices, options)
  for (const direction of directions) broker.order(direction)
  return broker.statements
}

const between = (minimum: number, maximum: number) =>
  Schema.Finite.check(Schema.isBetween({ minimum, maximum }))
const Rules = Schema.Struct({
  fill: Schema.Literals(["close", "next"]),
  fee: between(0, 0.05),
  spread: between(0, 0.05),
  slippage: between(0, 0.05),
  lot: Schema.Literals([0, 0, 0.001, 1, 7]),
  shortLimit: between(0, 1),
  cash: between(1, 1e6),
})
const Days = Schema.Array(Schema.Tuple([between(1, 300), Schema.Literals([-1, 0, 1])])).check(
  Schema.isMinLength(2),
)

describe("Broker", () => {
  it.effect.prop("neither makes nor loses cash or units", [Days, Rules], ([days, rules]) =>
    Effect.sync(() => {
      const statements = trade(
        days.map(([price]) => price),
        days.map(([, direction]) => direction),
        rules,
      )
      let [cash, units] = [rules.cash, 0]
      for (const statement of statements) {
        const { trade, price } = statement
        const scale = rules.cash + Math.abs(cash)
        assert.closeTo(statement.equity, cash + units * price, 1e-9 * scale)
        if (trade !== undefined) {
          cash -= trade.units * trade.price + trade.fee
          units += trade.units
          assert.isAtLeast(trade.fee, 0)
          // Nobody buys below the price or sells above it.
          assert.isAtLeast(trade.units * (trade.price - price), 0)
        }
        assert.closeTo(statement.cash, cash, 1e-9 * scale)
        assert.closeTo(statement.units, units, (1e-9 * scale) / price)
        const equity = statement.cash + statement.units * price
        if (statement.units > 0) assert.isAtLeast(statement.cash, -1e-6 * scale)
        if (statement.units < 0 && trade !== undefined) {
          const short = -statement.units * price
          assert.isAtMost(short, rules.shortLimit * equity + 1e-6 * scale)
        }
        if (rules.lot > 0) {
          const lots = statement.units / rules.lot
          assert.closeTo(lots, Math.round(lots), 1e-6)
        }
      }
    }),
  )

  it.effect.prop(
    "without costs, earns a position times the asset's return each day",
    [
      Schema.Array(Schema.Tuple([between(1, 1.8), Schema.Literals([-1, 0, 1])])).check(
        Schema.isMinLength(2),
      ),
    ],
    ([days]) =>
      Effect.sync(() => {
        const prices = days.map(([price]) => price)
        for (const [fill, shift] of [
          ["close", 0],
          ["next", 1],
        ] as const) {
          const statements = trade(
            prices,
            days.map(([, direction]) => direction),
            { fill, cash: 100 },
          )
          let equity = 100
          statements.forEach((statement, i) => {
            assert.closeTo(statement.equity / equity, 1, 1e-9)
            const held = days[i - shift]?.[1] ?? 0
            equity *= 1 + held * (prices[i + 1] / prices[i] - 1)
          })
        }
      }),
  )

  it("fills at the price of the decision, or at that of the next day", () => {
    const prices = [100, 110, 121, 121]
    const at = (fill: "close" | "next") =>
      trade(prices, [1, 1, 1, 1], { fill, cash: 1000 }).map(({ trade, equity }) => [
        trade?.units ?? 0,
        Math.round(equity),
      ])
    assert.deepStrictEqual(at("close"), [
      [10, 1000],
      [0, 1100],
      [0, 1210],
      [0, 1210],
    ])
    assert.deepStrictEqual(at("next"), [
      [0, 1000],
      [1000 / 110, 1000],
      [0, 1100],
      [0, 1100],
    ])
  })

  it("takes fee, half the spread, slippage, lots and the short limit into account", () => {
    const bought = trade([100, 100], [1], { cash: 1000, fee: 0.01, spread: 0.02, slippage: 0.01 })
    assert.deepStrictEqual(bought[0].trade?.price, 102)
    assert.closeTo(bought[0].units * 102 * 1.01, 1000, 1e-9)
    const lots = trade([100, 100], [1], { cash: 1050, lot: 3 })
    assert.deepStrictEqual([lots[0].units, lots[0].cash], [9, 150])
    const short = trade([100, 100], [-1], { cash: 1000, shortLimit: 0.5 })
    assert.deepStrictEqual([short[0].units, short[0].cash], [-5, 1500])
    const forbidden = trade([100, 100, 100], [1, -1], { cash: 1000, shortLimit: 0 })
    assert.deepStrictEqual([forbidden[1].units, forbidden[1].held], [0, 0])
  })

  it("tells an agent what its last position came to, and nothing of the next", () => {
    const broker = open([100, 110, 99], { cash: 1000 })
    assert.deepStrictEqual(broker.portfolio(), {
      direction: 0,
      cash: 1000,
      units: 0,
      equity: 1000,
      gained: 0,
      settled: undefined,
    })
    broker.order(1)
    assert.deepStrictEqual(broker.portfolio()?.settled, { decided: dateOf(0), profit: 100 })
    broker.order(-1)
    const { direction, gained, settled } = broker.portfolio()!
    assert.strictEqual(direction, -1)
    assert.closeTo(gained, 0.21, 1e-12)
    assert.closeTo(settled?.profit ?? NaN, 110, 1e-9)
    broker.order(1)
    assert.isUndefined(broker.portfolio())
    broker.order(1)
    assert.strictEqual(broker.statements.length, 3)
    // The last day's decision has no next price to be filled for.
    assert.isUndefined(broker.statements[2].trade)
  })

  it("closes an account that is worth nothing", () => {
    const statements = trade([100, 250, 300], [-1, -1, -1], { cash: 1000 })
    assert.deepStrictEqual(
      statements.map(({ equity, units }) => [equity, units]),
      [
        [1000, -10],
        [-500, 0],
        [-500, 0],
      ],
    )
  })

  it("refuses rules that make no sense", () => {
    for (const [options, message] of [
      [{ fee: 2 }, "fee is 2, expected a number from 0 to 0.25"],
      [{ spread: -0.1 }, "spread is -0.1, expected a number from 0 to 0.25"],
      [{ slippage: NaN }, "slippage is NaN, expected a number from 0 to 0.25"],
      [{ shortLimit: 3 }, "shortLimit is 3, expected a number from 0 to 1"],
      [{ lot: -1 }, "lot is -1, expected 0 or a positive number"],
      [{ cash: 0 }, "cash is 0, expected a positive number"],
    ] as const) {
      const refused = makeBrokerRules(options)
      assert.isTrue(Result.isFailure(refused) && refused.failure.message === message, message)
    }
  })
})
