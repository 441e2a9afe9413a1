/** A piece of a text, and where it stands: `text.slice(start, end)`. */
export interface Span {
  readonly start: number
  readonly end: number
}

const abbreviations = new Set(
  "mr mrs ms dr prof sen rep gov gen lt col sgt st jr sr vs etc inc co corp ltd sec jan feb mar apr jun jul aug sep sept oct nov dec u.s u.k d.c e.g i.e a.m p.m".split(
    " ",
  ),
)

/** Whether the full stop at `at` belongs to the word before it. */
const isAbbreviation = (text: string, at: number): boolean => {
  const word = /[A-Za-z.]*$/.exec(text.slice(Math.max(0, at - 12), at))![0]
  const isNumber = /^no$/i.test(word) && /^\. ?\d/.test(text.slice(at, at + 3))
  return isNumber || /^[A-Z]$/.test(word) || abbreviations.has(word.toLowerCase())
}

/**
 * The sentences of a text as spans that do not overlap and are in order; between them is white space
 * only. A sentence ends after `.`, `!`, `?` or `…` with closing quotes and brackets where white space
 * or a capital letter follows, but not after an abbreviation or an initial; and at two spaces or a
 * line break, which is where paragraphs of web pages ended.
 *
 * @example
 * ```ts
 * import { splitSentences } from "@espalier/misinformation"
 * const text = "Mr. Smith paid $1.5 million. Did he? Yes."
 * console.log(splitSentences(text).map(({ start, end }) => text.slice(start, end)))
 * // [ "Mr. Smith paid $1.5 million.", "Did he?", "Yes." ]
 * ```
 */
export const splitSentences = (text: string): ReadonlyArray<Span> => {
  const spans: Array<Span> = []
  let start = 0
  const close = (end: number) => {
    let [from, to] = [start, end]
    while (from < to && /\s/.test(text[from])) from++
    while (to > from && /\s/.test(text[to - 1])) to--
    if (to > from) spans.push({ start: from, end: to })
    start = end
  }
  for (const { 0: found, index } of text.matchAll(/[.!?…]+["'”’)\]]*(?=\s|[A-Z]|$)|\s{2,}|\n/g)) {
    const end = index + found.length
    const isStop = found.startsWith(".") && !found.startsWith("..")
    if (isStop && isAbbreviation(text, index)) continue
    // "U.S.Treasury", "example.Com": a capital right after a lone full stop needs a word before it.
    const next = text[end]
    if (
      isStop &&
      next !== undefined &&
      !/\s/.test(next) &&
      !/[a-z0-9)”"’]{2}$/.test(text.slice(Math.max(0, index - 2), index))
    ) {
      continue
    }
    close(end)
  }
  close(text.length)
  return spans
}
