import { countWords } from "./words.ts"

/** Kinds of phrases that tell which way a fact checker's text leans. */
const cues: Readonly<Record<string, RegExp>> = {
  "no evidence":
    /\bno (\w+ )?(evidence|proof|records?|indication|sign|truth|basis|mention|such)\b|\bnothing to (do|indicate|suggest)|\bno one\b/gi,
  "not true":
    /\b(not|isn'?t|wasn'?t|aren'?t|nor) (\w+ )?(true|real|accurate|genuine|legitimate|authentic|factual|actually|correct)\b/gi,
  invented:
    /\b(fake|hoax\w*|fabricat\w+|fictional|fictitious|phony|bogus|spoof\w*|satir\w+|parody|debunked|invented|made[- ]up|prank|joke|junk news|clickbait|humor(ous)?|disclaimer|entertainment website)\b/gi,
  scam: /\b(scam\w*|fraud\w*|phishing|spam|malware|survey)\b/gi,
  altered:
    /\b(doctored|altered|manipulat\w+|photoshop\w*|edited|digitally|misidentif\w+|mislabel\w+|misattribut\w+|unrelated|out of context|miscaption\w*|actually (shows?|depict|taken|an?|the|from)|composite)\b/gi,
  wrong:
    /\b(mislead\w*|misrepresent\w*|misinterpret\w*|misinformation|erroneous\w*|inaccura\w+|incorrect\w*|false(ly|hood)?|untrue|baseless|unfounded|myth|conspirac\w+|purported(ly)?|supposed(ly)?|wrong(ly)?)\b/gi,
  denied:
    /\b(did not|didn'?t|does not|doesn'?t|do not|don'?t|has not|hasn'?t|have not|was not|wasn'?t|were not|is not|isn'?t|never|cannot|will not|won'?t)\b/gi,
  contrary: /\b(contrary to|in fact|in reality|in truth|rather|instead|actually|merely|simply)\b/gi,
  "is true":
    /\b(is|was|are|were|it'?s|indeed|did|does|both) ((?!not )\w+ )?(true|correct|accurate|accurately|real|right|genuine|authentic|legitimate|in fact)\b/gi,
  confirmed:
    /\b(confirm(ed|s|ing)?|verified|indeed|backs? up|supports?|on target|solid|correctly|accurately|truthful|acknowledg\w+|admitted|testified|documented)\b/gi,
  genuine: /\b(genuine|authentic|real|legitimate|truly)\b/gi,
  reported:
    /\b(according to|reported|announced|statement|press release|police|court|officials?|spokes\w+|told us|released|posted|tweeted)\b/gi,
  unclear:
    /\b(unclear|unknown|unproven|unverified|undetermined|uncertain\w*|inconclusive|could not|unable to|not (yet )?(clear|certain|known|been)|remains?|no definitive|awaiting|reached out|contacted|will update|pending|investigat\w+|speculat\w+|rumor\w*|alleged\w*|possib\w+|may have|might have|difficult to)\b/gi,
  partly:
    /\b(partly|partially|half|mixture|mixed|some truth|grain of truth|exaggerat\w+|oversimplif\w+|nuance\w*|although|though|however|while|but|omit\w*|technically|somewhat|not entirely|context|on the other hand|at least|only (some|part|one))\b/gi,
  overtaken:
    /\b(no longer|outdated|since (been )?(changed|repealed|removed)|legend\w*|apocryphal|later|subsequently|updated?|reversed|years? (ago|earlier|later))\b/gi,
  proposed:
    /\b(would|could|may|might|proposed?|proposal|plan(s|ned)?|expected|potential\w*|if)\b/gi,
}

/** How many numbers {@link verdictCues} gives. */
export const verdictCueCount: number = 4 * Object.keys(cues).length

/**
 * Of each kind of phrase: how often in 300 words (at most 3), whether in the first four sentences,
 * in what share of the sentences of the second half, and whether in the last sentence.
 */
export const verdictCues = (sentences: ReadonlyArray<string>): ReadonlyArray<number> => {
  const words = sentences.reduce((sum, sentence) => sum + Math.max(5, countWords(sentence)), 0)
  const half = Math.floor(sentences.length / 2)
  return Object.values(cues).flatMap((cue) => {
    const found = sentences.map((sentence) => sentence.match(cue)?.length ?? 0)
    const all = found.reduce((sum, n) => sum + n, 0)
    const late = found.slice(half).filter((n) => n > 0).length
    return [
      Math.min(3, (300 * all) / Math.max(1, words)),
      found.slice(0, 4).some((n) => n > 0) ? 1 : 0,
      late / Math.max(1, sentences.length - half),
      (found.at(-1) ?? 0) > 0 ? 1 : 0,
    ]
  })
}
