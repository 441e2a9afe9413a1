import { isGlued, type Vocabulary } from "./link_traces.ts"
import type { Segments } from "./segments.ts"
import { countWords, hashText, isFunctionWord, type Word, wordsOf } from "./words.ts"

/** What is known of the sentences of one context: `dense` has `denseWidth` numbers a sentence. */
export interface SegmentFeatures {
  readonly count: number
  readonly dense: Float32Array
  /** Of each sentence the hashed places of what it says. */
  readonly hashed: ReadonlyArray<ReadonlyArray<number>>
  /** Words of each sentence, as budgets count them. */
  readonly lengths: ReadonlyArray<number>
}

/** Places for hashed words of a sentence. */
export const hashWidth = 1024

const references =
  /^(sources?|references)\b|\baccessed\b|\bretrieved\b|https?:|^\W*(\d{1,2} )?(january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b[^a-z]*$/i
const verdict =
  /\b(we rate|rate this|our ruling|our rating|rated?\b.*\b(true|false)|in (sum|short|summary|conclusion)|no evidence|is (true|false)|therefore)\b/i
const heading =
  /^(origins?|claim|examples?|status|sightings|last updated|variations|our ruling|sources)\b/i

const near = (distance: number): number => (Number.isFinite(distance) ? 1 / (1 + distance) : 0)

/** Content words that are in both, as shares of the sentence and of the claim. */
const overlapOf = (words: ReadonlyArray<Word>, claim: ReadonlySet<string>) => {
  const own = new Set(words.map(({ lower }) => lower).filter((word) => !isFunctionWord(word)))
  const shared = [...own].filter((word) => claim.has(word)).length
  return [shared / Math.max(1, own.size), shared / Math.max(1, claim.size)]
}

/** Names of the dense numbers, in their order. */
const names = [
  "one",
  "position",
  "position from end",
  "first",
  "second",
  "third to fifth",
  "last three",
  "words",
  "few words",
  "many words",
  "claim in sentence",
  "sentence in claim",
  "link tail right after",
  "two link tails after",
  "sentences to next tail",
  "no next tail",
  "sentences from last tail",
  "link tail right before",
  "source of next tail",
  "after source of next tail",
  "glued words",
  "two glued words",
  "glued near",
  "ends in colon",
  "quote opens",
  "quote",
  "quote share",
  "bracket",
  "question",
  "number",
  "year",
  "reference",
  "references after",
  "verdict",
  "heading",
  "ends without stop",
  "gap before",
  "gap after",
  "sentences",
  "tails of text",
  "glued of text",
  "said",
  "we",
  "capital share",
  "announced",
  "context words",
] as const

/** Numbers a sentence. */
export const denseWidth: number = names.length

/** What of the sentences of a context could say that an explanation has them. */
export const segmentFeatures = (
  segments: Segments,
  claim: string,
  vocabulary: Vocabulary,
): SegmentFeatures => {
  const { text, words, spans, firstWords, tails } = segments
  const count = spans.length
  const dense = new Float32Array(count * denseWidth)
  const claimWords = new Set(
    wordsOf(claim)
      .map(({ lower }) => lower)
      .filter((word) => !isFunctionWord(word)),
  )
  const glued = spans.map(
    (_, i) =>
      words.slice(firstWords[i], firstWords[i + 1]).filter((word) => isGlued(word, vocabulary))
        .length,
  )
  const gluedOfText = glued.reduce((sum, n) => sum + n, 0)
  const texts = spans.map(({ start, end }) => text.slice(start, end))
  const lengths = texts.map(countWords)
  const allWords = lengths.reduce((sum, n) => sum + n, 0)
  /** The sentence in which, or after which, a character is. */
  const spanAt = (place: number) => {
    let i = 0
    while (i + 1 < count && spans[i + 1].start <= place) i++
    return i
  }
  const tailAfter = tails.map(({ start }) => spans.findLastIndex(({ end }) => end <= start))
  const tailSources = tails.map(({ source }) => spanAt(source))
  const tailsAt = spans.map((_, i) => tailAfter.filter((at) => at === i).length)
  const firstReference = (() => {
    let i = count
    while (
      i > 0 &&
      count - i < 60 &&
      (references.test(texts[i - 1]) ||
        lengths[i - 1] < 8 ||
        /^\S+, \S+( \S\.)?$/.test(texts[i - 1]))
    )
      i--
    return i
  })()
  const hashed: Array<ReadonlyArray<number>> = []
  let from = 0
  for (let i = 0; i < count; i++) {
    const own = words
      .slice(firstWords[i], firstWords[i + 1])
      .filter(({ start }) => start < spans[i].end)
    const sentence = texts[i]
    const [ofSentence, ofClaim] = overlapOf(own, claimWords)
    const next = tailAfter.findIndex((at) => at >= i)
    const last = tailAfter.findLastIndex((at) => at < i)
    const quotes = (sentence.match(/["“”]/g) ?? []).length
    const opened = (text.slice(0, spans[i].start).match(/"/g) ?? []).length % 2
    const before =
      i === 0 ? text.slice(0, spans[0].start) : text.slice(spans[i - 1].end, spans[i].start)
    const after = text.slice(spans[i].end, spans[i + 1]?.start ?? text.length)
    const values: Record<(typeof names)[number], number> = {
      one: 1,
      position: i / count,
      "position from end": near((count - 1 - i) / 4),
      first: i === 0 ? 1 : 0,
      second: i === 1 ? 1 : 0,
      "third to fifth": i > 1 && i < 5 ? 1 : 0,
      "last three": count - i < 4 ? 1 : 0,
      words: Math.min(3, lengths[i] / 25),
      "few words": lengths[i] < 6 ? 1 : 0,
      "many words": lengths[i] > 35 ? 1 : 0,
      "claim in sentence": ofSentence,
      "sentence in claim": ofClaim,
      "link tail right after": tailsAt[i] > 0 ? 1 : 0,
      "two link tails after": tailsAt[i] > 1 ? 1 : 0,
      "sentences to next tail": next === -1 ? 0 : near(tailAfter[next] - i),
      "no next tail": next === -1 ? 1 : 0,
      "sentences from last tail": last === -1 ? 0 : near(i - 1 - tailAfter[last]),
      "link tail right before": i > 0 && tailsAt[i - 1] > 0 ? 1 : 0,
      "source of next tail": next !== -1 && tailSources[next] === i ? 1 : 0,
      "after source of next tail": next !== -1 && tailSources[next] < i ? 1 : 0,
      "glued words": Math.min(3, glued[i]),
      "two glued words": glued[i] > 1 ? 1 : 0,
      "glued near": Math.min(3, (glued[i - 1] ?? 0) + (glued[i + 1] ?? 0)),
      "ends in colon": sentence.endsWith(":") ? 1 : 0,
      "quote opens": /^["“]/.test(sentence) ? 1 : 0,
      quote: quotes > 0 ? 1 : 0,
      "quote share": opened,
      bracket: /^[[(]/.test(sentence) ? 1 : 0,
      question: sentence.includes("?") ? 1 : 0,
      number: /\d/.test(sentence) ? 1 : 0,
      year: /\b(19|20)\d\d\b/.test(sentence) ? 1 : 0,
      reference: references.test(sentence) ? 1 : 0,
      "references after": i >= firstReference ? 1 : 0,
      verdict: verdict.test(sentence) ? 1 : 0,
      heading: heading.test(sentence) ? 1 : 0,
      "ends without stop": /[.!?:"”)]$/.test(sentence) ? 0 : 1,
      "gap before": / {2}/.test(before) ? 1 : 0,
      "gap after": / {2}/.test(after) ? 1 : 0,
      sentences: Math.min(3, count / 50),
      "tails of text": Math.min(3, tails.length / 5),
      "glued of text": Math.min(3, gluedOfText / 5),
      said: /\b(said|says|told|wrote|tweeted|reported|according to)\b/i.test(sentence) ? 1 : 0,
      we: /\b(we|our)\b/i.test(sentence) ? 1 : 0,
      "capital share":
        own.filter(({ text: word }) => /^\p{Lu}/u.test(word)).length / Math.max(1, own.length),
      announced: i > 0 && texts[i - 1].endsWith(":") ? 1 : 0,
      "context words": from / Math.max(1, allWords),
    }
    from += lengths[i]
    names.forEach((name, j) => (dense[i * denseWidth + j] = values[name]))
    const says = new Set(own.map(({ lower }) => hashText(lower) % hashWidth))
    if (own.length > 0) {
      says.add(hashText(`first ${own[0].lower}`) % hashWidth)
      says.add(hashText(`first ${own[0].lower} ${own[1]?.lower ?? ""}`) % hashWidth)
      says.add(hashText(`last ${own.at(-1)!.lower}`) % hashWidth)
    }
    hashed.push([...says])
  }
  return { count, dense, hashed, lengths }
}
