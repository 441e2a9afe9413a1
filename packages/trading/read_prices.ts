import { Effect, FileSystem, type PlatformError, Stream } from "effect"
import { PriceFileError } from "./errors.ts"
import { makeObjectScanner, type ScanProblem } from "./object_scanner.ts"
import { type FutureNews, type NewsDetail, parseDay } from "./parse_day.ts"
import type { Day, PriceSeries } from "./price_series.ts"

/** How a file is read. */
export interface ReadPricesOptions {
  /** News from later days: an error (the default), or left out and counted. */
  readonly futureNews?: FutureNews
  /** Whether agents want to read (`"text"`, the default), or counts of labels do. */
  readonly news?: NewsDetail
  /** The first day whose news are kept as text. */
  readonly newsFrom?: string
  /** The last day whose news are kept as text. */
  readonly newsTo?: string
}

/** Reads entries out of a text that comes in pieces. */
export const makePriceReader = (path: string, options: ReadPricesOptions = {}) => {
  const { futureNews = "refuse", news = "text", newsFrom = "", newsTo = "9999-99-99" } = options
  const days: Array<Day> = []
  /** The line of each date. */
  const lines = new Map<string, number>()
  let unsorted = 0
  let dropped = 0
  let latest = ""
  let failure: PriceFileError | undefined

  const scanner = makeObjectScanner((member) => {
    const { key: date, line } = member
    const before = lines.get(date)
    const wanted = date >= newsFrom && date <= newsTo ? news : "sentiment"
    const entry =
      before === undefined
        ? parseDay(member, { futureNews, news: wanted })
        : {
            line,
            detail: `the date stands twice, first on line ${before}`,
            hint: "keep one of the entries: JSON itself would silently take the last",
          }
    if ("detail" in entry) {
      failure = new PriceFileError({ path, date, ...entry })
      return { line: entry.line, detail: entry.detail }
    }
    lines.set(date, line)
    days.push(entry.day)
    dropped += entry.dropped
    if (date < latest) unsorted++
    else latest = date
    return undefined
  })

  const told = ({ line, detail }: ScanProblem): PriceFileError =>
    failure ??
    new PriceFileError({
      path,
      line,
      detail: `not a JSON object of dates: ${detail}`,
      hint: `expected { "YYYY-MM-DD": { "prices": 123.45, "news": [] }, … }; the file may be cut off`,
    })

  return {
    feed: (piece: string): PriceFileError | undefined => {
      const problem = scanner.feed(piece)
      return problem === undefined ? undefined : told(problem)
    },
    end: (): PriceSeries | PriceFileError => {
      const problem = scanner.end()
      if (problem !== undefined) return told(problem)
      if (days.length === 0) {
        return new PriceFileError({
          path,
          detail: "the file has no entries",
          hint: `expected { "YYYY-MM-DD": { "prices": 123.45, "news": [] }, … }`,
        })
      }
      const sorted = days.toSorted((a, b) => (a.date < b.date ? -1 : 1))
      return { path, days: sorted, unsorted, futureNews: dropped }
    },
  }
}

const unreadable = (path: string) => (error: PlatformError.PlatformError) =>
  new PriceFileError({
    path,
    detail: `cannot be read: ${error.message}`,
    hint: "check the path and its rights",
  })

/**
 * Reads prices and news of one asset: a JSON object `{ "YYYY-MM-DD": { "prices": 123.45, "news":
 * ["…(sentiment: positive)"] } }`, in pieces, one entry in memory at a time. What is kept of an entry is
 * its price and its news, or with `news: "sentiment"` the counts of their labels only: memory then does
 * not grow with the file.
 *
 * Fails with a {@link PriceFileError} that names line and date where a price is missing, no number or
 * not positive, where a date is none of the calendar or stands twice (which `JSON.parse` would hide), and
 * where news are from a later day. Entries may be in any order; they are sorted, and `unsorted` counts
 * them. Days that the calendar has and the file has not are no error: see {@link countGaps}.
 *
 * @example
 * ```ts
 * import { Effect, FileSystem, Stream } from "effect"
 * import { readPrices } from "@espalier/trading"
 *
 * const text = `{ "2023-01-02": { "prices": 21, "news": [] }, "2023-01-01": { "prices": 20 } }`
 * const files = FileSystem.layerNoop({
 *   stream: () => Stream.make(new TextEncoder().encode(text)),
 * })
 * const { days, unsorted } = await readPrices("btc.json").pipe(Effect.provide(files), Effect.runPromise)
 * console.log(days.map(({ price }) => price), unsorted) // [ 20, 21 ] 1
 * ```
 */
export const readPrices = Effect.fnUntraced(function* (
  path: string,
  options: ReadPricesOptions = {},
) {
  const fileSystem = yield* FileSystem.FileSystem
  const reader = makePriceReader(path, options)
  yield* fileSystem.stream(path).pipe(
    Stream.mapError(unreadable(path)),
    Stream.decodeText(),
    Stream.runForEach((piece) => {
      const problem = reader.feed(piece)
      return problem === undefined ? Effect.void : Effect.fail(problem)
    }),
  )
  const series = reader.end()
  return yield* series instanceof PriceFileError ? Effect.fail(series) : Effect.succeed(series)
})
