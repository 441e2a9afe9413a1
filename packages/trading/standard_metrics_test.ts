import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { Direction } from "./action.ts"
import type { BrokerOptions } from "./broker_options.ts"
import { scoreDecisions } from "./score.ts"
import { directions, prices } from "./testing/golden.ts"
import { dateOf, makeMarket, wholeWindow } from "./testing/market.ts"

const score = (
  prices: ReadonlyArray<number>,
  directions: ReadonlyArray<Direction>,
  options: BrokerOptions = {},
) => {
  const decided = new Map(directions.map((direction, i) => [dateOf(i), direction]))
  return Result.getOrThrow(
    scoreDecisions(makeMarket(prices), wholeWindow(prices.length), decided, options),
  )
}

describe("standardMetrics", () => {
  it("agrees with numpy", () => {
    // numpy 1.24: R = h·(p[1:] / p[:-1] − 1), V = [1, cumprod(1 + R)], N = 365; std with ddof=1, the
    // downside as √mean(minimum(R, 0)²), the drawdown of V.
    const { standard } = score(prices, directions)
    const expected = {
      totalReturn: 0.09612402592575986,
      annualReturn: 9.944583703806716,
      annualVolatility: 0.8524666926185277,
      sharpe: 3.21164429594728,
      sortino: 5.275307389047166,
      maxDrawdown: 0.0873786407766991,
      calmar: 113.81023572134343,
      exposure: 0.8571428571428571,
      winRate: 0.5833333333333334,
    }
    for (const [name, figure] of Object.entries(expected)) {
      const found = standard[name as keyof typeof expected] ?? NaN
      assert.closeTo(found / figure, 1, 1e-9, name)
    }
    assert.strictEqual(standard.costs, 0)
  })

  it("counts trades, turnover and costs", () => {
    // Buys 10 for all there is, keeps them, then sells 20 / 1.01: the short is worth what is left then.
    const { standard } = score([100, 110, 110, 110], [1, 1, -1, 0], { fee: 0.01, cash: 1010 })
    assert.strictEqual(standard.trades, 2)
    const sold = (20 / 1.01) * 110
    assert.closeTo(standard.turnover, 1000 / 1010 + sold / 1100, 1e-9)
    assert.closeTo(standard.costs, 10 + 0.01 * sold, 1e-9)
    assert.closeTo(standard.totalReturn, (1100 - 0.01 * sold) / 1010 - 1, 1e-9)
    assert.strictEqual(standard.exposure, 1)
  })

  it("leaves out what is undefined", () => {
    const { standard, overBuyAndHold } = score([1, 2, 1], [0, 0, 0])
    const { sharpe, sortino, calmar, winRate, intervals } = standard
    assert.deepStrictEqual([sharpe, sortino, calmar, winRate], [null, null, null, null])
    assert.deepStrictEqual(intervals, { totalReturn: [0, 0], sharpe: null })
    assert.strictEqual(overBuyAndHold.totalReturn, 0)
    const ruined = score([1, 3, 3], [-1, 0, 0]).standard
    assert.deepStrictEqual(
      [ruined.totalReturn, ruined.annualReturn, ruined.maxDrawdown],
      [-2, null, 2],
    )
  })

  it("says how little a few days prove", () => {
    const { standard, overBuyAndHold } = score(prices, directions)
    const [low, high] = standard.intervals.totalReturn ?? [0, 0]
    assert.isTrue(low < 0 && high > 0.2)
    assert.isTrue((overBuyAndHold.interval?.[0] ?? 1) < 0)
    assert.deepStrictEqual(score(prices, directions).standard, standard)
  })
})
