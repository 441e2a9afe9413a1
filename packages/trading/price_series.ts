import { daysBetween } from "./calendar_date.ts"
import type { News, SentimentCounts } from "./news.ts"

/** What a file says of one day. */
export interface Day {
  /** `YYYY-MM-DD`. */
  readonly date: string
  /** The price at the end of the day, in the asset's quote currency; positive. */
  readonly price: number
  readonly news: ReadonlyArray<News>
  readonly sentiment: SentimentCounts
  /** Annual and quarterly reports that came out that day, where the file has them (`10k`, `10q`). */
  readonly annual: ReadonlyArray<string>
  readonly quarterly: ReadonlyArray<string>
}

/** The days of a file, in the order of the calendar, each once. */
export interface PriceSeries {
  /** Where it was read from. */
  readonly path: string
  readonly days: ReadonlyArray<Day>
  /** How many entries stood before an earlier one in the file: they were put in order. */
  readonly unsorted: number
  /** How many items of news were from a later day than their entry's, and left out. */
  readonly futureNews: number
}

/** Days of the calendar that a series leaves out. */
export interface Gaps {
  /** How many stretches are missing. */
  readonly count: number
  /** How many days are. */
  readonly days: number
  /** The most days missing in a row. */
  readonly longest: number
}

/**
 * Counts the days of the calendar between the first and the last that have no entry. Stocks have one
 * each weekend.
 *
 * @example
 * ```ts
 * import { countGaps } from "@espalier/trading"
 * console.log(countGaps(["2023-01-01", "2023-01-02", "2023-01-05"])) // { count: 1, days: 2, longest: 2 }
 * ```
 */
export const countGaps = (dates: ReadonlyArray<string>): Gaps => {
  const missing = dates.slice(1).map((date, i) => daysBetween(dates[i], date) - 1)
  return {
    count: missing.filter((days) => days > 0).length,
    days: missing.reduce((sum, days) => sum + days, 0),
    longest: missing.reduce((most, days) => Math.max(most, days), 0),
  }
}
