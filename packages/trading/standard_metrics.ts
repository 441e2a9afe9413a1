import { blockBootstrap } from "@espalier/evaluation"
import type { Statement } from "./broker.ts"
import { maxDrawdown, sampleDeviation } from "./challenge_metrics.ts"

/** The ends of an interval; `null` where it is undefined. */
export type Ends = readonly [low: number, high: number] | null

/** Figures of an account, by the textbook. Those that are undefined are `null`. */
export interface StandardMetrics {
  /** What the equity gained, as a share of what it began with. */
  readonly totalReturn: number
  /** The same a year, compounded: (1 + total)^(N / (n − 1)) − 1; `null` where all is lost. */
  readonly annualReturn: number | null
  /** σ √N of the simple daily returns, of the sample. */
  readonly annualVolatility: number | null
  /** Mean / σ · √N of the simple daily returns; no interest is counted. */
  readonly sharpe: number | null
  /** Mean / √(mean of min(return, 0)²) · √N. */
  readonly sortino: number | null
  /** Of the equity, as a share from 0 to 1, and above 1 where there are debts. */
  readonly maxDrawdown: number
  /** Annual return / drawdown. */
  readonly calmar: number | null
  /** What was traded, in multiples of the equity at the time. */
  readonly turnover: number
  readonly trades: number
  /** Fees, spread and slippage, in the quote currency. */
  readonly costs: number
  /** The share of days with a position. */
  readonly exposure: number
  /** The share of days with a position on which the equity grew; `null` without such days. */
  readonly winRate: number | null
  /**
   * 95 % intervals by the stationary block bootstrap (2000 resamples of the daily returns): what other
   * stretches of such days might have brought.
   */
  readonly intervals: { readonly totalReturn: Ends; readonly sharpe: Ends }
}

/** How figures are made. */
export interface StandardOptions {
  /** N: 365 for cryptocurrencies, the default, and 252 for stocks. */
  readonly daysPerYear?: number
  /** 2000. */
  readonly resamples?: number
  readonly seed?: number
}

const meanOf = (values: ReadonlyArray<number>) =>
  values.reduce((sum, value) => sum + value, 0) / values.length

const compounded = (returns: ReadonlyArray<number>) =>
  returns.reduce((product, r) => product * (1 + r), 1) - 1

const sharpeOf = (returns: ReadonlyArray<number>, daysPerYear: number): number => {
  const deviation = sampleDeviation(returns)
  return deviation > 0 ? (meanOf(returns) / deviation) * Math.sqrt(daysPerYear) : NaN
}

const defined = (value: number): number | null => (Number.isFinite(value) ? value : null)

/** The ends of an interval, as they go into JSON. */
export const endsOf = ({ low, high }: { readonly low: number; readonly high: number }): Ends =>
  Number.isFinite(low) && Number.isFinite(high) ? [low, high] : null

/** The simple returns from each day to the next; 0 for an account that is worth nothing. */
export const simpleReturns = (equities: ReadonlyArray<number>): ReadonlyArray<number> =>
  equities.slice(1).map((equity, i) => (equities[i] > 0 ? equity / equities[i] - 1 : 0))

/**
 * The textbook's figures of what a broker did.
 *
 * @example
 * ```ts
 * import { Result } from "effect"
 * import { Broker, makePriceReader, PointInTime, type PriceSeries, standardMetrics } from "@espalier/trading"
 *
 * const reader = makePriceReader("p.json")
 * reader.feed(`{ "2023-01-01": { "prices": 20 }, "2023-01-02": { "prices": 21 } }`)
 * const market = PointInTime.make(reader.end() as PriceSeries)
 * const broker = Result.getOrThrow(Broker.open(market, { from: "2023-01-01", to: "2023-01-02" }))
 * for (const _ of broker.dates) broker.order(1)
 * console.log(standardMetrics(broker.statements).totalReturn.toFixed(3)) // 0.050
 * ```
 */
export const standardMetrics = (
  statements: ReadonlyArray<Statement>,
  { daysPerYear = 365, resamples = 2000, seed = 0 }: StandardOptions = {},
): StandardMetrics => {
  const equities = statements.map(({ equity }) => equity)
  const returns = simpleReturns(equities)
  const total = equities[equities.length - 1] / equities[0] - 1
  const annual = total > -1 ? (1 + total) ** (daysPerYear / returns.length) - 1 : NaN
  const deepest = maxDrawdown(equities)
  const downside = Math.sqrt(meanOf(returns.map((r) => Math.min(r, 0) ** 2)))
  const held = returns.filter((_, i) => statements[i].held !== 0)
  const traded = statements.flatMap(({ trade, price, equity }) =>
    trade === undefined ? [] : [{ ...trade, at: price, equity }],
  )
  const bootstrap = (statistic: (returns: ReadonlyArray<number>) => number) =>
    endsOf(blockBootstrap(returns, statistic, { resamples, seed }))
  return {
    totalReturn: total,
    annualReturn: defined(annual),
    annualVolatility: defined(sampleDeviation(returns) * Math.sqrt(daysPerYear)),
    sharpe: defined(sharpeOf(returns, daysPerYear)),
    sortino: defined((meanOf(returns) / downside) * Math.sqrt(daysPerYear)),
    maxDrawdown: deepest,
    calmar: defined(annual / deepest),
    turnover: traded.reduce(
      (sum, { units, at, equity }) => sum + (equity > 0 ? (Math.abs(units) * at) / equity : 0),
      0,
    ),
    trades: traded.length,
    costs: traded.reduce((sum, { units, price, at, fee }) => sum + fee + units * (price - at), 0),
    exposure: held.length / returns.length,
    winRate: held.length === 0 ? null : held.filter((r) => r > 0).length / held.length,
    intervals: {
      totalReturn: bootstrap(compounded),
      sharpe: bootstrap((drawn) => sharpeOf(drawn, daysPerYear)),
    },
  }
}
