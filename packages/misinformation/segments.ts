import { findLinkTails, type LinkTail } from "./link_traces.ts"
import { type Span, splitSentences } from "./sentences.ts"
import { type Word, wordsOf } from "./words.ts"

/** A context cut into what an explanation may be put together from. */
export interface Segments {
  readonly text: string
  readonly words: ReadonlyArray<Word>
  /** Sentences, without the words of links that are repeated between them. */
  readonly spans: ReadonlyArray<Span>
  /** Of each span the first of its words, and at the end the number of words. */
  readonly firstWords: ReadonlyArray<number>
  readonly tails: ReadonlyArray<LinkTail>
}

/** Parts of `span` before, between and after the tails in it, without white space around them. */
const cutAt = (text: string, span: Span, tails: ReadonlyArray<LinkTail>): ReadonlyArray<Span> => {
  const inside = tails.filter(({ start, end }) => start < span.end && end > span.start)
  const edges = [span.start, ...inside.flatMap(({ start, end }) => [start, end]), span.end]
  const parts: Array<Span> = []
  for (let i = 0; i < edges.length; i += 2) {
    let [start, end] = [edges[i], edges[i + 1]]
    while (start < end && /\s/.test(text[start])) start++
    while (end > start && /\s/.test(text[end - 1])) end--
    if (/[\p{L}\p{N}]/u.test(text.slice(start, end))) parts.push({ start, end })
  }
  return parts
}

/** Cuts a context into sentences and finds what its links left behind. */
export const segmentsOf = (
  text: string,
  { linkTraces = true }: { readonly linkTraces?: boolean } = {},
): Segments => {
  const words = wordsOf(text)
  const sentences = splitSentences(text)
  // What a page announces with a colon was a paragraph of its own, with the links' words between.
  const colons = Array.from(
    text.matchAll(/:["”]?\s+/g),
    ({ 0: found, index }) => index + found.length,
  )
  const starts = [...new Set([...sentences.map(({ start }) => start), ...colons])].sort(
    (a, b) => a - b,
  )
  const tails = linkTraces ? findLinkTails(text, words, starts) : []
  const spans = sentences.flatMap((span) => cutAt(text, span, tails))
  const firstWords: Array<number> = []
  let word = 0
  for (const { start } of spans) {
    while (word < words.length && words[word].start < start) word++
    firstWords.push(word)
  }
  return { text, words, spans, firstWords: [...firstWords, words.length], tails }
}
