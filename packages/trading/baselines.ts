import { uniformNumbers } from "@espalier/evaluation"
import { actionOf } from "./action.ts"
import { type Agent, makeRuleAgent } from "./agent.ts"
import { dayNumber } from "./calendar_date.ts"
import type { DatedPrice } from "./point_in_time.ts"

/** Buys each day. */
export const buyAndHold = (): Agent => makeRuleAgent("buy-and-hold", 0, () => "buy")

/**
 * Buys, sells or holds, each as often, by a number that depends on the seed and the date alone.
 *
 * @example
 * ```ts
 * import { randomAgent } from "@espalier/trading"
 * console.log(randomAgent({ seed: 7 }).name) // random
 * ```
 */
export const randomAgent = ({ seed = 0 }: { readonly seed?: number } = {}): Agent =>
  makeRuleAgent("random", 0, ({ date }) => {
    const next = uniformNumbers(
      Math.imul(seed, 0x9e3779b1) ^ Math.imul(dayNumber(date), 0x85ebca6b),
    )
    return actionOf(Math.floor(next() * 3) - 1)
  })

/**
 * Buys what rose and sells what fell over the last `records` entries (3); holds where there are not that
 * many. The challenge's three-day momentum.
 */
export const momentum = ({ records = 3 }: { readonly records?: number } = {}): Agent =>
  makeRuleAgent("momentum", records, ({ price, prices }) =>
    prices.length <= records ? "hold" : actionOf(price - prices[prices.length - 1 - records].price),
  )

const meanPrice = (prices: ReadonlyArray<DatedPrice>): number =>
  prices.reduce((sum, { price }) => sum + price, 0) / prices.length

/** The exponential average with weight 2 / (records + 1) for the latest, from the oldest on. */
const exponentialAverage = (prices: ReadonlyArray<DatedPrice>, records: number): number =>
  prices.reduce(
    (average, { price }, i) =>
      i === 0 ? price : average + (2 / (records + 1)) * (price - average),
    0,
  )

/** How the moving averages are made. */
export interface MovingAverageOptions {
  /** Entries of the fast average; 5, exponential 12. */
  readonly fast?: number
  /** Entries of the slow one; 20, exponential 26. */
  readonly slow?: number
  /** `"exponential"` with 12 and 26 is the sign of the MACD line. */
  readonly average?: "simple" | "exponential"
}

/**
 * Buys while the fast average of the price is above the slow one, and sells while it is below; holds
 * until there are enough entries for the slow one.
 */
export const movingAverageCross = (options: MovingAverageOptions = {}): Agent => {
  const { average = "simple" } = options
  const exponential = average === "exponential"
  const { fast = exponential ? 12 : 5, slow = exponential ? 26 : 20 } = options
  // What is further back than four times the slow average counts for less than a thousandth.
  const lookBack = exponential ? 4 * slow : slow - 1
  return makeRuleAgent("moving-average-cross", lookBack, ({ prices }) => {
    if (prices.length < slow) return "hold"
    return actionOf(
      exponential
        ? exponentialAverage(prices, fast) - exponentialAverage(prices, slow)
        : meanPrice(prices.slice(-fast)) - meanPrice(prices.slice(-slow)),
    )
  })
}

/** Buys where the day's news are labelled positive more often than negative, sells where less often. */
export const newsSentiment = (): Agent =>
  makeRuleAgent("news-sentiment", 0, ({ sentiment: { positive, negative } }) =>
    actionOf(positive - negative),
  )
