import { Result } from "effect"
import { daysBetween } from "./calendar_date.ts"
import type { InvalidWindow } from "./errors.ts"
import type { News, SentimentCounts } from "./news.ts"
import type { PriceSeries } from "./price_series.ts"
import { findWindow, type Window } from "./window.ts"

declare const seen: unique symbol

/** A price and the day it is of. */
export interface DatedPrice {
  readonly date: string
  readonly price: number
}

/**
 * What is known at the end of a day: its price and its news, and those before it as far as the look-back
 * reaches. Only {@link PointInTime} makes one, so a function that takes an `Observation` cannot be given
 * anything that came later.
 */
export interface Observation {
  readonly [seen]: never
  readonly date: string
  readonly price: number
  /** The prices up to and including this day's, the oldest first, `lookBack` + 1 at most. */
  readonly prices: ReadonlyArray<DatedPrice>
  /** How many days of the calendar the entry before this one is ago; 0 at the first. */
  readonly daysSince: number
  readonly news: ReadonlyArray<News>
  readonly sentiment: SentimentCounts
  /** The counts of the days before, the oldest first, as far as the look-back reaches. */
  readonly sentiments: ReadonlyArray<SentimentCounts>
  readonly annual: ReadonlyArray<string>
  readonly quarterly: ReadonlyArray<string>
}

/** What the warm-up shows: a day, and how the price went on. The test phase has none. */
export interface Lesson {
  readonly observation: Observation
  /** ln(p′ / p) from this day's price to that of the next entry. */
  readonly change: number
}

/** The prices of a window and the first after it: what decisions come to. */
export interface Outcomes {
  readonly days: ReadonlyArray<DatedPrice>
  readonly next: DatedPrice | undefined
  /** Whether the window reaches beyond the data. */
  readonly cut: boolean
}

/**
 * What the broker settles by, and the warm-up learns from. `mod.ts` keeps it in the house: an agent has no
 * way to ask.
 */
export let outcomesOf: (
  market: PointInTime,
  window: Window,
) => Result.Result<Outcomes, InvalidWindow>

/** Prices and news behind a door: what is asked for a day knows that day and what came before. */
export class PointInTime {
  readonly path: string
  readonly #series: PriceSeries
  readonly #indices: ReadonlyMap<string, number>

  private constructor(series: PriceSeries) {
    this.path = series.path
    this.#series = series
    this.#indices = new Map(series.days.map(({ date }, i) => [date, i]))
  }

  static {
    outcomesOf = (market, window) =>
      Result.map(findWindow(market.#series, window), ({ first, count, cut }) => ({
        days: market.#series.days.slice(first, first + count),
        next: market.#series.days[first + count],
        cut,
      }))
  }

  /**
   * Takes a series.
   *
   * @example
   * ```ts
   * import { makePriceReader, PointInTime, type PriceSeries } from "@espalier/trading"
   *
   * const reader = makePriceReader("p.json")
   * reader.feed(`{ "2023-01-01": { "prices": 20 }, "2023-01-02": { "prices": 21 } }`)
   * const market = PointInTime.make(reader.end() as PriceSeries)
   * console.log(market.at("2023-01-01")?.prices) // [ { date: '2023-01-01', price: 20 } ]
   * ```
   */
  static make(series: PriceSeries): PointInTime {
    return new PointInTime(series)
  }

  /** Whether there is an entry of that date. */
  has(date: string): boolean {
    return this.#indices.has(date)
  }

  /**
   * What is known at the end of that date, with as many earlier entries as `lookBack` says (30);
   * `undefined` where there is no entry.
   */
  at(date: string, lookBack = 30): Observation | undefined {
    const { days } = this.#series
    const index = this.#indices.get(date)
    if (index === undefined) return undefined
    const first = Math.max(0, index - lookBack)
    const day = days[index]
    const known: Omit<Observation, typeof seen> = {
      date,
      price: day.price,
      prices: days.slice(first, index + 1).map(({ date, price }) => ({ date, price })),
      daysSince: index === 0 ? 0 : daysBetween(days[index - 1].date, date),
      news: day.news,
      sentiment: day.sentiment,
      sentiments: days.slice(first, index).map(({ sentiment }) => sentiment),
      annual: day.annual,
      quarterly: day.quarterly,
    }
    return known as Observation
  }
}
