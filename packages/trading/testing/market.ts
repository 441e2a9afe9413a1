import { PriceFileError } from "../errors.ts"
import { PointInTime } from "../point_in_time.ts"
import { makePriceReader } from "../read_prices.ts"

/** The day so many days after 2023-01-01. */
export const dateOf = (day: number): string =>
  new Date(Date.UTC(2023, 0, 1 + day)).toISOString().slice(0, 10)

/** A day of a market made up. */
export interface MadeUpDay {
  readonly price: number
  readonly news?: ReadonlyArray<string>
}

/** A market with an entry for each day from 2023-01-01 on. */
export const makeMarket = (days: ReadonlyArray<number | MadeUpDay>): PointInTime => {
  const entries = days.map((day, i) => {
    const { price, news = [] } = typeof day === "number" ? { price: day } : day
    return [dateOf(i), { prices: price, news }] as const
  })
  const reader = makePriceReader("market.json")
  const series = reader.feed(JSON.stringify(Object.fromEntries(entries))) ?? reader.end()
  if (series instanceof PriceFileError) throw series
  return PointInTime.make(series)
}

/** All of the days of such a market. */
export const wholeWindow = (days: number) => ({ from: dateOf(0), to: dateOf(days - 1) })
