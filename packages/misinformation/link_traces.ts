import type { Span } from "./sentences.ts"
import { isFunctionWord, type Word } from "./words.ts"

/**
 * Words of a link that a web page's text repeats after the paragraph in which the link stands.
 * `source` is the character where the link's words stand in the paragraph itself.
 */
export interface LinkTail extends Span {
  readonly source: number
}

const lookBack = 220
const longest = 12

const isCapital = (text: string): boolean => /^[\p{Lu}\p{N}]/u.test(text)

/** The most words at `at` that stand together within the words before `start`, and where they do. */
const repeatAt = (
  words: ReadonlyArray<Word>,
  places: Map<string, Array<number>>,
  at: number,
  start: number,
) => {
  let [length, source] = [0, -1]
  for (const place of places.get(words[at].text) ?? []) {
    if (place >= start || place < start - lookBack) continue
    let n = 1
    while (
      n < longest &&
      at + n < words.length &&
      place + n < start &&
      words[at + n].text === words[place + n].text
    )
      n++
    if (n >= length) [length, source] = [n, place]
  }
  return { length, source }
}

/**
 * Where a text repeats words of its links: at the beginning of a sentence, words that stand in the
 * text shortly before it, with a new sentence after them. `starts` are the characters where sentences
 * may begin.
 */
export const findLinkTails = (
  text: string,
  words: ReadonlyArray<Word>,
  starts: ReadonlyArray<number>,
): ReadonlyArray<LinkTail> => {
  const places = new Map<string, Array<number>>()
  for (const [i, { text: word }] of words.entries()) {
    const known = places.get(word)
    if (known === undefined) places.set(word, [i])
    else known.push(i)
  }
  const tails: Array<LinkTail> = []
  let word = 0
  let done = 0
  for (const start of starts) {
    while (word < words.length && words[word].start < start) word++
    if (start < done || word >= words.length) continue
    let at = word
    let source = Number.POSITIVE_INFINITY
    let found: LinkTail | undefined
    while (at < words.length && at - word < 40) {
      const repeat = repeatAt(words, places, at, word)
      if (repeat.length === 0) break
      source = Math.min(source, words[repeat.source].start)
      at += repeat.length
      const end = words[at - 1].end
      const between = text.slice(end, words[at]?.start ?? text.length)
      const opens =
        at === words.length ||
        isCapital(words[at].text) ||
        /["“]/.test(between) ||
        / {2}/.test(between)
      // A full stop would make it a sentence of its own.
      if (/[.!?,;]/.test(between)) break
      const says = words.slice(word, at).some(({ lower }) => !isFunctionWord(lower))
      if (opens && says) {
        found = { start: words[word].start, end, source }
        break
      }
    }
    if (found !== undefined) {
      tails.push(found)
      done = found.end
    }
  }
  return tails
}

/** Words that are known, and how many texts each is in. */
export type Vocabulary = ReadonlyMap<string, number>

/** In how many of the texts each word is; those that are in one only are left out. */
export const vocabularyOf = (texts: ReadonlyArray<ReadonlyArray<Word>>): Vocabulary => {
  const counts = new Map<string, number>()
  for (const words of texts) {
    for (const word of new Set(words.map(({ lower }) => lower))) {
      counts.set(word, (counts.get(word) ?? 0) + 1)
    }
  }
  return new Map([...counts].filter(([, count]) => count > 1))
}

/**
 * Whether a word is two that lost the space between them, which happens where a link began or ended:
 * unknown itself, and made of two known words.
 */
export const isGlued = ({ lower }: Word, vocabulary: Vocabulary): boolean => {
  if (lower.length < 5 || (vocabulary.get(lower) ?? 0) > 2 || !/^\p{L}+$/u.test(lower)) return false
  for (let i = 1; i < lower.length; i++) {
    const [head, tail] = [lower.slice(0, i), lower.slice(i)]
    const least = (part: string) =>
      part.length < 3 ? (isFunctionWord(part) ? 2 : Infinity) : part.length < 4 ? 20 : 4
    if ((vocabulary.get(head) ?? 0) >= least(head) && (vocabulary.get(tail) ?? 0) >= least(tail)) {
      return true
    }
  }
  return false
}
