/** How a news item was labelled. */
export type Sentiment = "positive" | "negative" | "neutral"

/** One item of news. Items without a label, or with one that nobody knows, have no sentiment. */
export interface News {
  readonly text: string
  readonly sentiment?: Sentiment
  /** The item's own date, where it has one. */
  readonly date?: string
}

/** How many items of each label a day has. */
export interface SentimentCounts {
  readonly positive: number
  readonly negative: number
  readonly neutral: number
  readonly unlabelled: number
}

const marker = /\s*\(\s*(sentiment|date|published)\s*:\s*([^()]*?)\s*\)\s*$/i

/** A date that a text begins with: `2023-05-01: …`, `[2023-05-01] …`; not one that is part of a sentence. */
const dateLine =
  /^\s*(?:[[(](\d{4}-\d{2}-\d{2})[^\])]{0,20}[\])]:?|(\d{4}-\d{2}-\d{2})(?:T[\d:.+Z-]*)?\s*[:|])\s+/

const sentiments: ReadonlySet<string> = new Set(["positive", "negative", "neutral"])

const sentimentOf = (label: string | undefined): { readonly sentiment?: Sentiment } => {
  const word = label?.toLowerCase() ?? ""
  return sentiments.has(word) ? { sentiment: word as Sentiment } : {}
}

/** The day of a date or a time, as far as it is written. */
const dayOf = (written: string | undefined) => /^\d{4}-\d{2}-\d{2}/.exec(written ?? "")?.[0]

/**
 * Reads an item as the files have it: text that ends in `(sentiment: positive)`, and may have
 * `(date: 2023-05-01)` beside that, or begin with `2023-05-01:`; or an object with `text` (or `title`), `sentiment` and `date` (or
 * `published`). `undefined` where it is neither.
 *
 * @example
 * ```ts
 * import { parseNews } from "@espalier/trading"
 * console.log(parseNews("prices rise. (sentiment:positive)"))
 * // { text: 'prices rise.', sentiment: 'positive' }
 * ```
 */
export const parseNews = (item: unknown): News | undefined => {
  if (typeof item === "string") {
    let text = item
    const found: Record<string, string> = {}
    for (let match = marker.exec(text); match !== null; match = marker.exec(text)) {
      found[match[1].toLowerCase()] ??= match[2]
      text = text.slice(0, match.index)
    }
    const line = dateLine.exec(text)
    if (line !== null) text = text.slice(line[0].length)
    const date = dayOf(found.date ?? found.published ?? line?.[1] ?? line?.[2])
    return { text, ...sentimentOf(found.sentiment), ...(date === undefined ? {} : { date }) }
  }
  if (typeof item !== "object" || item === null || Array.isArray(item)) return undefined
  const fields = new Map<string, unknown>(Object.entries(item))
  const word = (...names: ReadonlyArray<string>) =>
    names.map((name) => fields.get(name)).find((value) => typeof value === "string")
  const written = word("text", "title", "headline")
  if (written === undefined) return undefined
  const own = parseNews(written)
  const date = dayOf(word("date", "published", "publishedAt", "time"))
  return { ...own!, ...sentimentOf(word("sentiment")), ...(date === undefined ? {} : { date }) }
}

/** Counts the labels. */
export const countSentiments = (news: ReadonlyArray<News>): SentimentCounts => {
  const counts = { positive: 0, negative: 0, neutral: 0, unlabelled: 0 }
  for (const { sentiment = "unlabelled" } of news) counts[sentiment]++
  return counts
}
