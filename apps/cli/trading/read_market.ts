import { Notices } from "@espalier/runtime"
import { countGaps, PointInTime, readPrices, type ReadPricesOptions } from "@espalier/trading"
import { Effect, type Option } from "effect"
import { locateFile } from "../command_line/locate_file.ts"

const items = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`

/** The path of a price file as it was given; `data:` is the data folder. */
export const locatePrices = (given: string, data: Option.Option<string>) =>
  locateFile(given, "--prices", data)

/** Reads a market, and says what a person should know of its file. */
export const readMarket = Effect.fnUntraced(function* (file: string, options: ReadPricesOptions) {
  const series = yield* readPrices(file, options)
  const { days, unsorted, futureNews } = series
  if (unsorted > 0) {
    const told = items(unsorted, "entry stood", "entries stood")
    yield* Notices.report(`${told} before an earlier one in the file: they were put in order`)
  }
  if (futureNews > 0) {
    const told = items(futureNews, "item of news was", "items of news were")
    yield* Notices.report(`${told} from a later day than its entry, and left out`)
  }
  const unlabelled = days.reduce((sum, { sentiment }) => sum + sentiment.unlabelled, 0)
  if (unlabelled > 0) {
    const told = items(unlabelled, "item of news has", "items of news have")
    yield* Notices.report(`${told} no label positive, negative or neutral, and none is counted`)
  }
  const first = days[0].date
  const last = days[days.length - 1].date
  return { market: PointInTime.make(series), first, last }
})

/** Says what is missing in a window. */
export const tellWindow = Effect.fnUntraced(function* (
  dates: ReadonlyArray<string>,
  window: { readonly from: string; readonly to: string },
  cut: boolean,
) {
  if (cut) {
    const held = `${dates[0]} … ${dates[dates.length - 1]}`
    yield* Notices.report(
      `the data do not reach over ${window.from} … ${window.to}; they have ${held}`,
    )
  }
  const { count, days, longest } = countGaps(dates)
  if (days > 0) {
    const told = items(days, "day of the window has", "days of the window have")
    yield* Notices.report(
      `${told} no price (${items(count, "gap", "gaps")}, ${longest} in a row at most): a position is held over them`,
    )
  }
})
