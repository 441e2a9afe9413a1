/** The figures of the challenge. Those that are undefined are `null`. */
export interface ChallengeMetrics {
  /** Σ r, a log return: 0.2182 is e^0.2182 − 1 = 24.4 %. */
  readonly cumulativeReturn: number
  /** [Σ r / (n / N)] / (σ √N); `null` where the volatility is 0 or undefined. */
  readonly sharpe: number | null
  /** σ √N, of the sample; `null` of a single return. */
  readonly annualVolatility: number | null
  /** Of ∏ (1 + r) from 1 on, as a share from 0 to 1. */
  readonly maxDrawdown: number
}

/** What the figures depend on beside prices and positions. */
export interface ChallengeOptions {
  /** N: 365 for cryptocurrencies, the default, and 252 for stocks. */
  readonly daysPerYear?: number
  /** `"next"`: what is decided at t is held from t + 1 on. */
  readonly fill?: "close" | "next"
  /** What a change of the position by 1 costs, as a share of the value; the challenge has 0. */
  readonly cost?: number
}

const sum = (values: ReadonlyArray<number>) => values.reduce((total, value) => total + value, 0)

/** The standard deviation of a sample, with n − 1; `NaN` of fewer than two values. */
export const sampleDeviation = (values: ReadonlyArray<number>): number => {
  const mean = sum(values) / values.length
  return Math.sqrt(sum(values.map((value) => (value - mean) ** 2)) / (values.length - 1))
}

/**
 * The deepest fall below the highest value so far, as a share of it.
 *
 * @example
 * ```ts
 * import { maxDrawdown } from "@espalier/trading"
 * console.log(maxDrawdown([1, 2, 1.5, 3])) // 0.25
 * ```
 */
export const maxDrawdown = (values: ReadonlyArray<number>): number => {
  let [peak, deepest] = [-Infinity, 0]
  for (const value of values) {
    peak = Math.max(peak, value)
    if (peak > 0) deepest = Math.max(deepest, 1 - value / peak)
  }
  return deepest
}

/**
 * What each day earns: r_i = a_i · ln(p_{i+1} / p_i), less what it costs to come from a_{i−1} to a_i, from
 * no position at first. With `fill: "next"` a_i is what was decided the day before.
 */
export const challengeReturns = (
  prices: ReadonlyArray<number>,
  directions: ReadonlyArray<number>,
  { fill = "close", cost = 0 }: ChallengeOptions = {},
): ReadonlyArray<number> => {
  const shift = fill === "close" ? 0 : 1
  const held = (i: number) => directions[i - shift] ?? 0
  return prices
    .slice(1)
    .map(
      (price, i) => held(i) * Math.log(price / prices[i]) - cost * Math.abs(held(i) - held(i - 1)),
    )
}

/**
 * The challenge's metrics of positions (1, −1 or 0) decided at prices. There are n prices and n − 1
 * returns, and the Sharpe ratio has n / N years: with that, and with log returns compounded as if they
 * were simple ones in the drawdown, the figures are those of its code and its paper.
 *
 * Units: returns, volatility and drawdown are shares (0.1 is 10 %).
 *
 * @example
 * ```ts
 * import { challengeMetrics } from "@espalier/trading"
 * const { cumulativeReturn, maxDrawdown } = challengeMetrics([100, 110, 99], [1, 1, 1])
 * console.log(cumulativeReturn.toFixed(4), maxDrawdown.toFixed(4)) // -0.0101 0.1054
 * ```
 */
export const challengeMetrics = (
  prices: ReadonlyArray<number>,
  directions: ReadonlyArray<number>,
  options: ChallengeOptions = {},
): ChallengeMetrics => {
  const { daysPerYear = 365 } = options
  const returns = challengeReturns(prices, directions, options)
  const cumulativeReturn = sum(returns)
  const annual = sampleDeviation(returns) * Math.sqrt(daysPerYear)
  const wealth = [1]
  for (const r of returns) wealth.push(wealth[wealth.length - 1] * (1 + r))
  return {
    cumulativeReturn,
    sharpe: annual > 0 ? cumulativeReturn / (prices.length / daysPerYear) / annual : null,
    annualVolatility: Number.isNaN(annual) ? null : annual,
    maxDrawdown: maxDrawdown(wealth),
  }
}
