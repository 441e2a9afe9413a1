import { isCalendarDate } from "./calendar_date.ts"
import { countSentiments, type News, parseNews } from "./news.ts"
import { type Member, scanObject } from "./object_scanner.ts"
import type { Day } from "./price_series.ts"

/** What to do with news that are from a later day than the entry they stand in. */
export type FutureNews = "refuse" | "drop"

/** How much of the news is kept in memory: their text, or how many of each label there are. */
export type NewsDetail = "text" | "sentiment"

/** Why an entry cannot be used. */
export interface DayProblem {
  readonly line: number
  readonly detail: string
  readonly hint: string
}

const format = `an entry is "YYYY-MM-DD": { "prices": 123.45, "news": ["…(sentiment: positive)"] }`

const parsed = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

const shorten = (text: string) => (text.length > 40 ? `${text.slice(0, 40)}…` : text)

const readPrice = (text: string | undefined): number | string => {
  if (text === undefined) return "the price is missing"
  const value = parsed(text)?.value
  if (value === null) return "the price is missing (null)"
  if (typeof value !== "number") return `the price is no number: ${shorten(text)}`
  if (!Number.isFinite(value)) return `the price is no finite number: ${shorten(text)}`
  return value > 0 ? value : `the price is ${value}, expected a positive number`
}

const readTexts = (text: string | undefined): ReadonlyArray<string> => {
  const value = text === undefined ? undefined : parsed(text)?.value
  const items: ReadonlyArray<unknown> = Array.isArray(value) ? value : [value]
  return items.filter((item) => typeof item === "string" && item !== "") as ReadonlyArray<string>
}

/** Reads one entry of a file: the date and what stands under it. */
export const parseDay = (
  { key: date, text, line }: Member,
  options: { readonly futureNews: FutureNews; readonly news: NewsDetail },
): { readonly day: Day; readonly dropped: number } | DayProblem => {
  const problem = (detail: string, hint = format, at = line): DayProblem => ({
    line: at,
    detail,
    hint,
  })
  if (!isCalendarDate(date)) {
    return problem(
      `${JSON.stringify(shorten(date))} is no day of the calendar`,
      "write dates as YYYY-MM-DD",
    )
  }
  const scanned = scanObject(text, line)
  if ("problem" in scanned) return problem(scanned.problem.detail, format, scanned.problem.line)
  const fields = new Map<string, string>()
  for (const { key, text, line } of scanned.members) {
    if (fields.has(key))
      return problem(`${JSON.stringify(key)} stands twice`, "keep one of them", line)
    if (parsed(text) === undefined) {
      return problem(`${JSON.stringify(key)} is no JSON: ${shorten(text)}`, format, line)
    }
    fields.set(key, text)
  }
  const price = readPrice(fields.get("prices") ?? fields.get("price"))
  if (typeof price === "string") {
    return problem(price, "every date needs a price above 0; leave out days without one")
  }
  const items = parsed(fields.get("news") ?? "[]")?.value
  if (items !== null && !Array.isArray(items)) return problem("news is no list", format)
  const news: Array<News> = []
  let dropped = 0
  for (const [i, item] of (items ?? []).entries()) {
    const read = parseNews(item)
    if (read === undefined) return problem(`item ${i + 1} of the news is no text`, format)
    if (read.date !== undefined && read.date > date) {
      if (options.futureNews === "refuse") {
        return problem(
          `item ${i + 1} of the news is from ${read.date}, a later day: ${JSON.stringify(shorten(read.text))}`,
          "move it to its own date; or leave such items out (--future-news drop)",
        )
      }
      dropped++
      continue
    }
    news.push(read)
  }
  return {
    day: {
      date,
      price,
      news: options.news === "text" ? news : [],
      sentiment: countSentiments(news),
      annual: options.news === "text" ? readTexts(fields.get("10k")) : [],
      quarterly: options.news === "text" ? readTexts(fields.get("10q")) : [],
    },
    dropped,
  }
}
