import { mean } from "@espalier/evaluation"
import { isGlued, type Vocabulary } from "./link_traces.ts"
import type { Segments } from "./segments.ts"
import { verdictCueCount, verdictCues } from "./verdict_cues.ts"
import { hashText, isFunctionWord, type Word, wordsOf } from "./words.ts"

/** Which part of an item features may look at. */
export type FeatureSource = "claim and context" | "claim" | "context"

/** A block of hashed n-grams: where it begins among the features, and how wide it is. */
interface Block {
  readonly name: string
  readonly width: number
  /** The longest n-grams. */
  readonly order: number
  readonly sources: ReadonlyArray<FeatureSource>
}

const both: FeatureSource = "claim and context"
const blocks: ReadonlyArray<Block> = [
  { name: "claim", width: 2048, order: 2, sources: [both, "claim"] },
  { name: "body", width: 8192, order: 2, sources: [both, "context"] },
  { name: "beginning", width: 2048, order: 2, sources: [both, "context"] },
  { name: "ending", width: 4096, order: 3, sources: [both, "context"] },
  { name: "about the claim", width: 4096, order: 2, sources: [both] },
]

const cues: ReadonlyArray<readonly [string, RegExp]> = [
  ["rated true", /\brat(e|ed|es|ing)\b[^.]{0,60}\b(mostly )?true\b/i],
  ["rated false", /\brat(e|ed|es|ing)\b[^.]{0,60}\b(mostly false|false|pants on fire)\b/i],
  ["rated between", /\brat(e|ed|es|ing)\b[^.]{0,60}\b(half true|mixture|unproven|mixed)\b/i],
  ["ruling", /\b(our|my) (ruling|rating)\b/i],
  ["no evidence", /\bno (evidence|proof|record|indication|sign|truth)\b/i],
  ["not true", /\b(not|isn'?t|wasn'?t) (true|real|accurate|genuine|legitimate|authentic)\b/i],
  [
    "fake",
    /\b(fake|hoax|fabricated|fictional|fictitious|phony|bogus|scams?|fraudulent|spoof|satir\w+|parody|debunked)\b/i,
  ],
  [
    "mislead",
    /\b(mislead\w*|misrepresent\w*|misattribut\w*|out of context|erroneous\w*|inaccura\w+|incorrect\w*|false(ly)?|untrue|baseless|myth)\b/i,
  ],
  [
    "true",
    /\b(is|was|are|were|it'?s|indeed) (true|correct|accurate|real|right|genuine|authentic)\b/i,
  ],
  [
    "confirmed",
    /\b(confirm(ed|s)?|verified|indeed|backs? up|supports? (his|her|the) (claim|statement)|on target|solid)\b/i,
  ],
  [
    "unclear",
    /\b(unclear|unknown|unproven|unverified|undetermined|could not (be )?(confirm|verif|determin)\w*|unable to (confirm|verify|determine)|remains|not (clear|certain|known))\b/i,
  ],
  [
    "partly",
    /\b(partly|partially|half|mixture|some truth|grain of truth|exaggerat\w+|oversimplif\w+|nuance\w*|although|however|while it)\b/i,
  ],
  [
    "outdated",
    /\b(no longer|outdated|since (been )?(changed|repealed|removed)|legend|apocryphal)\b/i,
  ],
  ["additional information", /\b(additional information|clarification|needs context)\b/i],
]

const numbersOf = (text: string): ReadonlySet<string> =>
  new Set((text.match(/\d[\d,.]*\d|\d/g) ?? []).map((number) => number.replaceAll(",", "")))

/** Where dense features begin, and how many features there are. */
const denseStart = blocks.reduce((sum, { width }) => sum + width, 0)
const denseCount = 21 + 3 * cues.length
const proseStart = denseStart + denseCount
export const featureWidth: number = proseStart + verdictCueCount

// How heavy the dense features are beside blocks of unit length.
const denseScale = 0.5
const proseScale = 0.14

/** Hashed features of one item: places in increasing order, and values. */
export interface ClaimFeatures {
  readonly places: ReadonlyArray<number>
  readonly values: ReadonlyArray<number>
}

/** What features are multiplied by, by place; what has none was not seen in training and is left out. */
export type Scales = Pick<ReadonlyMap<number, number>, "get">

/** How often each place of a block is hit, by n-grams up to its order. */
const countGrams = (words: ReadonlyArray<Word>, start: number, { name, width, order }: Block) => {
  const counts = new Map<number, number>()
  for (let n = 1; n <= order; n++) {
    for (let i = 0; i + n <= words.length; i++) {
      if (n === 1 && name === "body" && isFunctionWord(words[i].lower)) continue
      let gram = words[i].lower
      for (let j = 1; j < n; j++) gram += ` ${words[i + j].lower}`
      const place = start + (hashText(`${name} ${gram}`) % width)
      counts.set(place, (counts.get(place) ?? 0) + 1)
    }
  }
  return counts
}

/** The sentence with which the list of sources begins; the number of sentences where there is none. */
const endOfBody = ({ text, spans }: Segments): number => {
  const at = spans.findIndex(({ start, end }, i) => {
    if (i < spans.length / 3) return false
    const sentence = text.slice(start, end)
    return (
      /^(sources?:?$|sources? [A-Z]|last updated)/i.test(sentence) ||
      /^\p{Lu}[\p{L}-]+, \p{Lu}[\p{L}.]+\.?$/u.test(sentence)
    )
  })
  return at === -1 ? spans.length : at
}

/** The texts of an item that are looked at apart from each other. */
interface Parts {
  readonly words: Readonly<Record<string, ReadonlyArray<Word>>>
  readonly texts: Readonly<Record<"body" | "ending" | "about", string>>
  readonly sentences: ReadonlyArray<string>
}

const partsOf = (segments: Segments, claim: string): Parts => {
  const { text, words, spans, firstWords } = segments
  const end = endOfBody(segments)
  const body = words.slice(0, firstWords[end])
  const claimWords = new Set(
    wordsOf(claim)
      .map(({ lower }) => lower)
      .filter((word) => !isFunctionWord(word)),
  )
  const scored = spans.slice(0, end).map((span, i) => {
    const own = new Set(words.slice(firstWords[i], firstWords[i + 1]).map(({ lower }) => lower))
    const shared = [...own].filter((word) => claimWords.has(word)).length
    return { i, span, shared: shared / Math.sqrt(8 + own.size) }
  })
  const about = scored
    .toSorted((a, b) => b.shared - a.shared)
    .slice(0, 4)
    .sort((a, b) => a.i - b.i)
  const aboutWords = about.flatMap(({ i }) => words.slice(firstWords[i], firstWords[i + 1]))
  const ending = body.slice(-100)
  const bodyEnd = body.at(-1)?.end ?? 0
  return {
    words: {
      claim: wordsOf(claim),
      body,
      beginning: body.slice(0, 80),
      ending,
      "about the claim": aboutWords,
    },
    texts: {
      body: text.slice(0, bodyEnd),
      ending: text.slice(ending[0]?.start ?? 0, bodyEnd),
      about: about.map(({ span }) => text.slice(span.start, span.end)).join(" "),
    },
    sentences: spans.slice(0, end).map((span) => text.slice(span.start, span.end)),
  }
}

const denseOf = (
  segments: Segments,
  claim: string,
  parts: Parts,
  vocabulary: Vocabulary,
  source: FeatureSource,
) => {
  const { text, words, tails } = segments
  const claimWords = parts.words.claim
  const seesClaim = source !== "context"
  const seesContext = source !== "claim"
  const seesBoth = source === both
  const context = new Set(words.map(({ lower }) => lower))
  const content = claimWords.filter(({ lower }) => !isFunctionWord(lower))
  const [claimed, told] = [numbersOf(claim), numbersOf(text)]
  const glued = words.filter((word) => isGlued(word, vocabulary)).length
  const of = (sees: boolean, values: ReadonlyArray<number>) =>
    values.map((value) => (sees ? value : 0))
  const negations = /\b(no|not|never|n't|false|fake|without|neither)\b/gi
  return [
    ...of(seesClaim, [
      claim.trim().endsWith("?") ? 1 : 0,
      Math.min(2, claimWords.length / 20),
      claimed.size > 0 ? 1 : 0,
      /["“']/.test(claim) ? 1 : 0,
      /^(did|does|is|was|were|are|do|has|will|can)\b/i.test(claim) ? 1 : 0,
      /^no\b|\b(not|never)\b/i.test(claim) ? 1 : 0,
    ]),
    ...of(seesContext, [
      Math.log1p(words.length) / 5,
      Math.min(2, glued / 5),
      glued > 3 ? 1 : 0,
      Math.min(2, tails.length / 5),
      tails.length > 2 ? 1 : 0,
      /^origins?:|\borigins?:\s/i.test(text) ? 1 : 0,
      /\bcollected (via|on)\b/i.test(text) ? 1 : 0,
      Math.min(2, (text.match(/"/g) ?? []).length / 20),
      /last updated/i.test(text) ? 1 : 0,
      Math.min(2, told.size / 30),
    ]),
    ...of(seesBoth, [
      content.filter(({ lower }) => context.has(lower)).length / Math.max(1, content.length),
      claimed.size === 0
        ? 0
        : [...claimed].filter((number) => told.has(number)).length / claimed.size,
      claimed.size === 0 ? 0 : [...claimed].every((number) => told.has(number)) ? 1 : -1,
      Math.min(2, (parts.texts.about.match(negations) ?? []).length / 3),
    ]),
    ...of(seesContext, [Math.min(2, (parts.texts.ending.match(negations) ?? []).length / 3)]),
    ...cues.flatMap(([, pattern]) => [
      ...of(seesContext, [
        pattern.test(parts.texts.body) ? 1 : 0,
        pattern.test(parts.texts.ending) ? 1 : 0,
      ]),
      ...of(seesBoth, [pattern.test(parts.texts.about) ? 1 : 0]),
    ]),
  ]
}

/** What an item's n-grams and cues are before they are scaled. */
export interface RawFeatures {
  readonly counts: ReadonlyArray<ReadonlyMap<number, number>>
  readonly dense: ReadonlyArray<number>
  readonly prose: ReadonlyArray<number>
}

/** Counts the n-grams of claim and context and looks for cues of fact checkers' prose. */
export const rawFeatures = (
  segments: Segments,
  claim: string,
  vocabulary: Vocabulary,
  source: FeatureSource,
): RawFeatures => {
  const parts = partsOf(segments, claim)
  let start = 0
  const counts: Array<ReadonlyMap<number, number>> = []
  for (const block of blocks) {
    if (block.sources.includes(source))
      counts.push(countGrams(parts.words[block.name], start, block))
    start += block.width
  }
  return {
    counts,
    dense: denseOf(segments, claim, parts, vocabulary, source),
    prose: source === "claim" ? [] : verdictCues(parts.sentences),
  }
}

const deviation = (values: ReadonlyArray<number>): number => {
  const average = mean(values)
  return Math.sqrt(mean(values.map((value) => (value - average) ** 2)))
}

/**
 * The scales that items give: of n-grams ln((1 + n) / (1 + in how many of the n items)), of cues of
 * prose a constant over their standard deviation (0.03 at the least), of the other dense features a constant.
 */
export const scalesOf = (items: ReadonlyArray<RawFeatures>): ReadonlyMap<number, number> => {
  const seen = new Map<number, number>()
  for (const { counts } of items) {
    for (const block of counts) {
      for (const place of block.keys()) seen.set(place, (seen.get(place) ?? 0) + 1)
    }
  }
  const scales = new Map(
    [...seen].map(([place, n]) => [place, Math.log((1 + items.length) / (1 + n))]),
  )
  for (let i = 0; i < denseCount; i++) scales.set(denseStart + i, denseScale)
  for (const i of items[0]?.prose.keys() ?? []) {
    // A cue that training hardly had must not outweigh everything where it is met.
    const spread = Math.max(0.03, deviation(items.map(({ prose }) => prose[i])))
    scales.set(proseStart + i, proseScale / spread)
  }
  return scales
}

/** (1 + ln tf) · idf, each block of unit length, and after them the dense features, scaled. */
export const claimFeatures = (
  { counts, dense, prose }: RawFeatures,
  scales: Scales,
): ClaimFeatures => {
  const places: Array<number> = []
  const values: Array<number> = []
  for (const block of counts) {
    const known = [...block].flatMap(([place, count]) => {
      const rare = scales.get(place)
      return rare === undefined ? [] : [[place, (1 + Math.log(count)) * rare] as const]
    })
    const norm = Math.sqrt(known.reduce((sum, [, value]) => sum + value * value, 0))
    for (const [place, value] of known.sort(([a], [b]) => a - b)) {
      places.push(place)
      values.push(value / (norm || 1))
    }
  }
  for (const [i, value] of [...dense, ...prose].entries()) {
    const scale = scales.get(denseStart + i)
    if (value === 0 || scale === undefined) continue
    places.push(denseStart + i)
    values.push(value * scale)
  }
  return { places, values }
}
