import { readPattern, translatePattern } from "./pattern.ts"
import type { JsonRecord } from "./problem.ts"
import { readArray, readFlag, readRecord, readString, show, unsupported } from "./problem.ts"

/** Cuts a text into pieces; `atStart` where the text stands at the start of a document. */
type Cut = (text: string, atStart: boolean) => ReadonlyArray<string>

/** How a text becomes the pieces that are merged one by one. */
export interface PreTokenizer {
  readonly cut: Cut
  /** Whether pieces are merged from their bytes instead of their characters. */
  readonly byteLevel: boolean
}

const supported = ["ByteLevel", "Split", "Metaspace", "Digits", "Sequence"]

/** GPT-2's words: contractions, letters, digits, other signs, white space. */
const words = new RegExp(
  translatePattern(
    String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  ),
  "gu",
)

interface Span {
  readonly text: string
  readonly matched: boolean
}

/** The matches of a pattern and what lies between them, in order. */
const spansOf = (text: string, pattern: RegExp): ReadonlyArray<Span> => {
  const spans: Array<Span> = []
  let end = 0
  for (const { 0: match, index } of text.matchAll(pattern)) {
    if (match === "") continue
    if (index > end) spans.push({ text: text.slice(end, index), matched: false })
    spans.push({ text: match, matched: true })
    end = index + match.length
  }
  if (end < text.length) spans.push({ text: text.slice(end), matched: false })
  return spans
}

const joinToPrevious = (spans: ReadonlyArray<Span>): ReadonlyArray<string> => {
  const pieces: Array<string> = []
  for (const [i, { text, matched }] of spans.entries()) {
    if (i > 0 && matched && !spans[i - 1].matched) pieces[pieces.length - 1] += text
    else pieces.push(text)
  }
  return pieces
}

const joinToNext = (spans: ReadonlyArray<Span>): ReadonlyArray<string> => {
  const pieces: Array<string> = []
  for (const [i, { text }] of spans.entries()) {
    const joins = i > 0 && spans[i - 1].matched && !spans[i].matched
    if (joins) pieces[pieces.length - 1] += text
    else pieces.push(text)
  }
  return pieces
}

const joinEqual = (spans: ReadonlyArray<Span>): ReadonlyArray<string> => {
  const pieces: Array<string> = []
  for (const [i, { text, matched }] of spans.entries()) {
    if (i > 0 && matched === spans[i - 1].matched) pieces[pieces.length - 1] += text
    else pieces.push(text)
  }
  return pieces
}

/** What becomes of the matches of a Split. */
const behaviors: Readonly<Record<string, (spans: ReadonlyArray<Span>) => ReadonlyArray<string>>> = {
  Isolated: (spans) => spans.map(({ text }) => text),
  Removed: (spans) => spans.filter(({ matched }) => !matched).map(({ text }) => text),
  MergedWithPrevious: joinToPrevious,
  MergedWithNext: joinToNext,
  Contiguous: joinEqual,
}

const readSplit = (part: JsonRecord, where: string): Cut => {
  const pattern = readPattern(part["pattern"], `${where}.pattern`)
  const invert = readFlag(part["invert"], `${where}.invert`, false)
  const name = readString(part["behavior"], `${where}.behavior`)
  const arrange = Object.hasOwn(behaviors, name) ? behaviors[name] : undefined
  if (arrange === undefined) {
    throw unsupported(
      "behavior of a Split",
      `${where}.behavior ${show(name)}`,
      Object.keys(behaviors),
    )
  }
  return (text) => {
    const spans = spansOf(text, pattern)
    return arrange(invert ? spans.map((span) => ({ ...span, matched: !span.matched })) : spans)
  }
}

const schemes = ["always", "first", "never"]

/** Metaspace writes spaces as a visible sign and may put one before the text. */
export const readPrependScheme = (part: JsonRecord, where: string): string => {
  const scheme = part["prepend_scheme"]
  if (scheme === undefined) {
    return readFlag(part["add_prefix_space"], `${where}.add_prefix_space`, true)
      ? "always"
      : "never"
  }
  const name = readString(scheme, `${where}.prepend_scheme`)
  if (schemes.includes(name)) return name
  throw unsupported("prepend_scheme", `${where}.prepend_scheme ${show(name)}`, schemes)
}

const readMetaspace = (part: JsonRecord, where: string): Cut => {
  const sign = readString(part["replacement"], `${where}.replacement`)
  const scheme = readPrependScheme(part, where)
  const splits = readFlag(part["split"], `${where}.split`, true)
  return (text, atStart) => {
    const signed = text.replaceAll(" ", sign)
    const prepends = scheme === "always" || (scheme === "first" && atStart)
    const whole = prepends && !signed.startsWith(sign) ? sign + signed : signed
    if (!splits) return [whole]
    // Before each sign.
    const pieces = whole.split(sign).map((piece, i) => (i === 0 ? piece : sign + piece))
    return pieces[0] === "" ? pieces.slice(1) : pieces
  }
}

const inOrder = (stages: ReadonlyArray<Cut>): Cut =>
  stages.length === 1
    ? stages[0]
    : (text, atStart) =>
        stages.reduce<ReadonlyArray<string>>(
          (pieces, cut) => pieces.flatMap((piece, i) => cut(piece, atStart && i === 0)),
          [text],
        )

const readStage = (value: unknown, where: string): PreTokenizer => {
  const part = readRecord(value, where)
  switch (part["type"]) {
    case "ByteLevel": {
      const prefixes = readFlag(part["add_prefix_space"], `${where}.add_prefix_space`, true)
      const cuts = readFlag(part["use_regex"], `${where}.use_regex`, true)
      const cut: Cut = (text) => {
        const whole = prefixes && !text.startsWith(" ") ? ` ${text}` : text
        return cuts ? (whole.match(words) ?? []) : [whole]
      }
      return { cut, byteLevel: true }
    }
    case "Split":
      return { cut: readSplit(part, where), byteLevel: false }
    case "Metaspace":
      return { cut: readMetaspace(part, where), byteLevel: false }
    case "Digits": {
      const single = readFlag(part["individual_digits"], `${where}.individual_digits`, false)
      const arrange = single ? behaviors["Isolated"] : behaviors["Contiguous"]
      return { cut: (text) => arrange(spansOf(text, /\p{N}/gu)), byteLevel: false }
    }
    case "Sequence": {
      const listed = readArray(part["pretokenizers"], `${where}.pretokenizers`)
      const stages = listed.map((stage, i) => readStage(stage, `${where}.pretokenizers[${i}]`))
      const bytes = stages.findIndex(({ byteLevel }) => byteLevel)
      if (bytes >= 0 && bytes < stages.length - 1) {
        throw unsupported("pre-tokenizer", `${where} with parts after ByteLevel`, supported)
      }
      return { cut: inOrder(stages.map(({ cut }) => cut)), byteLevel: bytes >= 0 }
    }
    default:
      throw unsupported("pre-tokenizer", `${where}.type ${show(part["type"])}`, supported)
  }
}

/** Reads the `pre_tokenizer` of a tokenizer.json; null leaves the text whole. */
export const readPreTokenizer = (value: unknown): PreTokenizer =>
  value === null || value === undefined
    ? { cut: (text) => [text], byteLevel: false }
    : readStage(value, "pre_tokenizer")
