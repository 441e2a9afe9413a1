import { NodeServices } from "@effect/platform-node"
import { assert, describe, it, layer } from "@effect/vitest"
import { withoutData } from "@espalier/testing"
import { Effect, Result, Schema } from "effect"
import { buyAndHold, momentum } from "./baselines.ts"
import { challengeMetrics, challengeReturns, maxDrawdown } from "./challenge_metrics.ts"
import { PointInTime } from "./point_in_time.ts"
import { readPrices } from "./read_prices.ts"
import { runAgent } from "./run_agent.ts"
import { scoreDecisions } from "./score.ts"
import { pricesOf } from "./testing/data.ts"
import { directions, prices } from "./testing/golden.ts"
import { type ChallengeAsset, challengeWindows } from "./window.ts"

const closeTo = (found: ReturnType<typeof challengeMetrics>, expected: ReadonlyArray<number>) => {
  const { cumulativeReturn, sharpe, annualVolatility, maxDrawdown } = found
  const figures = [cumulativeReturn, sharpe, annualVolatility, maxDrawdown]
  for (const [i, figure] of figures.entries()) assert.closeTo(figure ?? NaN, expected[i], 1e-12)
}

describe("challengeMetrics", () => {
  it("agrees with numpy", () => {
    // numpy 1.24: r = h·diff(log p) − c·|Δh|; Σ r, Σ r / (n / N) / AV, std(r, ddof=1)·√N, and the
    // largest of 1 − w / maximum.accumulate(w) for w = [1, cumprod(1 + r)].
    closeTo(
      challengeMetrics(prices, directions),
      [0.10174770887584916, 2.9530237569903117, 0.8384155088892227, 0.08587779177348964],
    )
    closeTo(
      challengeMetrics(prices, directions, { fill: "next" }),
      [-0.00408301459187399, -0.12279736516661978, 0.8090837692985058, 0.12992429444601916],
    )
    closeTo(
      challengeMetrics(prices, directions, { daysPerYear: 252, cost: 0.001 }),
      [0.08674770887584915, 2.092167640746363, 0.69657970075207, 0.09138247956447998],
    )
  })

  it("has no Sharpe ratio without risk, and no volatility of one return", () => {
    const idle = challengeMetrics([1, 2, 3], [0, 0, 0])
    assert.deepStrictEqual(idle, {
      cumulativeReturn: 0,
      sharpe: null,
      annualVolatility: 0,
      maxDrawdown: 0,
    })
    const single = challengeMetrics([1, 2], [1])
    assert.deepStrictEqual([single.sharpe, single.annualVolatility], [null, null])
    assert.strictEqual(single.cumulativeReturn, Math.log(2))
  })

  const Price = Schema.Finite.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))
  const Held = Schema.Literals([-1, 0, 1])
  it.effect.prop(
    "mirrors a position's returns, and costs are what changes of it cost",
    [Schema.Array(Schema.Tuple([Price, Held])).check(Schema.isMinLength(2))],
    ([days]) =>
      Effect.sync(() => {
        const prices = days.map(([price]) => price)
        const held = days.map(([, direction]) => direction)
        const long = challengeReturns(prices, held)
        const short = challengeReturns(
          prices,
          held.map((direction) => -direction),
        )
        long.forEach((r, i) => assert.strictEqual(r + short[i], 0))
        const costs = challengeReturns(prices, held, { cost: 0.01 })
        const paid = long.reduce((sum, r, i) => sum + r - costs[i], 0)
        const changes = held
          .slice(0, -1)
          .reduce<number>((sum, a, i) => sum + Math.abs(a - (held[i - 1] ?? 0)), 0)
        assert.closeTo(paid, 0.01 * changes, 1e-9)
      }),
  )
})

describe("maxDrawdown", () => {
  it("counts from the highest value so far, the first included", () => {
    assert.strictEqual(maxDrawdown([4, 2, 8, 6, 12]), 0.5)
    assert.strictEqual(maxDrawdown([1, 2, 3]), 0)
    assert.strictEqual(maxDrawdown([2, -1]), 1.5)
  })
})

layer(NodeServices.layer)("the challenge's windows", (it) => {
  type Row = readonly [
    asset: ChallengeAsset,
    to: "test" | "long",
    ...figures: ReadonlyArray<number>,
  ]
  // Published, and recomputed independently: Σ r, Sharpe ratio, annual volatility, drawdown.
  const rows: ReadonlyArray<Row> = [
    ["btc", "test", 0.2182, 0.9898, 0.3743, 0.208],
    ["eth", "test", 0.0453, 0.2114, 0.4182, 0.2989],
    ["btc", "long", 0.4055, 1.4559, 0.3926, 0.208],
    ["eth", "long", 0.1849, 0.6521, 0.4661, 0.2989],
  ]
  it.effect("give the published rows of buying and holding", (context) =>
    Effect.gen(function* () {
      if (withoutData !== undefined) return context.skip(withoutData)
      for (const [asset, to, ...figures] of rows) {
        const series = yield* readPrices(pricesOf(asset), { news: "sentiment" })
        const market = PointInTime.make(series)
        const window = challengeWindows[asset][to]
        const run = yield* runAgent(buyAndHold(), market, window)
        const score = Result.getOrThrow(
          scoreDecisions(market, window, run.directions, { resamples: 1 }),
        )
        const { cumulativeReturn, sharpe, annualVolatility, maxDrawdown } = score.challenge
        const found = [cumulativeReturn, sharpe, annualVolatility, maxDrawdown]
        assert.deepStrictEqual(
          found.map((figure) => Number(figure?.toFixed(4))),
          figures,
          `${asset} ${to}`,
        )
        if (asset !== "btc" || to !== "test") continue
        assert.strictEqual(score.days, 215)
        assert.strictEqual(score.other.fill, "next")
        assert.strictEqual(score.other.challenge.cumulativeReturn.toFixed(4), "0.2230")
        assert.strictEqual(score.other.challenge.sharpe?.toFixed(4), "1.0116")
        const followed = yield* runAgent(momentum(), market, window)
        const { challenge } = Result.getOrThrow(
          scoreDecisions(market, window, followed.directions, { resamples: 1 }),
        )
        assert.strictEqual(challenge.cumulativeReturn.toFixed(3), "0.246")
        assert.strictEqual(challenge.sharpe?.toFixed(3), "1.117")
      }
    }),
  )
})
