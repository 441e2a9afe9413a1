import { Result, Schema } from "effect"
import { decodeStrictUtf8, encodeUtf8 } from "./bytes.ts"
import type { TokenDecoder, Tokenizer } from "./tokenizer_interface.ts"
import { decodeAll, outsideVocabulary, TokenizerFormatError } from "./tokenizer_interface.ts"

const special = ["<unk>", "<s>", "</s>"] as const
const unknown = 0
const begin = 1
const end = 2

const word = /[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*|[^\s]/gu
const closing = /^[.,!?;:)\]}…]$/u

/**
 * The words and punctuation marks of a text, one by one.
 *
 * @example
 * ```ts
 * splitWords("Lily's dog ran.") // ["Lily's", "dog", "ran", "."]
 * ```
 */
export const splitWords = (text: string): ReadonlyArray<string> => text.match(word) ?? []

/**
 * Joins words into a text: a space between them, none before closing punctuation. `splitWords` takes
 * the text apart again where every word is one word.
 */
export const joinWords = (words: ReadonlyArray<string>): string =>
  words.map((each, i) => (i === 0 || closing.test(each) ? each : ` ${each}`)).join("")

/**
 * A tokenizer with one token per word or punctuation mark; spacing is not kept. Tokens 0, 1 and 2 are
 * unknown, begin and end, then come `words` in the order given; a word that is not among them becomes
 * token 0.
 *
 * @example
 * ```ts
 * const tokenizer = makeWordTokenizer(["a", "b", "."])
 * tokenizer.encode("a b.") // 3, 4, 5
 * tokenizer.decode([3, 4, 5]) // "a b."
 * ```
 */
export const makeWordTokenizer = (words: ReadonlyArray<string>): Tokenizer => {
  const vocabulary: ReadonlyArray<string> = [...special, ...words]
  const size = vocabulary.length
  const numbers = new Map(words.map((each, i) => [each, special.length + i]))
  if (numbers.size !== words.length) throw new RangeError("the words of a tokenizer must differ")
  const decoder = (): TokenDecoder => {
    let atStart = true
    return {
      push: (token) => {
        if (!(token >= 0 && token < size)) throw outsideVocabulary(token, size)
        if (token === begin || token === end) {
          atStart = true
          return ""
        }
        const piece = joinWords(atStart ? [vocabulary[token]] : ["", vocabulary[token]])
        atStart = false
        return piece
      },
      flush: () => "",
    }
  }
  return {
    kind: "words",
    vocabularySize: size,
    begin,
    end,
    encode: (text) => Int32Array.from(splitWords(text), (each) => numbers.get(each) ?? unknown),
    decode: (tokens) => decodeAll(decoder(), tokens),
    decoder,
    toBytes: () =>
      encodeUtf8(`${JSON.stringify({ format: "espalier-words", version: 1, words })}\n`),
  }
}

/**
 * A word tokenizer for a corpus: its words from the most to the least frequent (alphabetically among
 * equals), at most `maximumSize` tokens with the three special ones.
 *
 * @example
 * ```ts
 * makeWordTokenizerFor(["a b a.", "a c."]).vocabularySize // 7: three special ones and a . b c
 * ```
 */
export const makeWordTokenizerFor = (
  documents: Iterable<string>,
  options: { readonly maximumSize?: number } = {},
): Tokenizer => {
  const counts = new Map<string, number>()
  for (const document of documents) {
    for (const each of splitWords(document)) counts.set(each, (counts.get(each) ?? 0) + 1)
  }
  const words = [...counts]
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .map(([each]) => each)
  const room = (options.maximumSize ?? Number.POSITIVE_INFINITY) - special.length
  return makeWordTokenizer(words.slice(0, Math.max(0, room)))
}

const WordFile = Schema.fromJsonString(
  Schema.Struct({
    format: Schema.Literal("espalier-words"),
    version: Schema.Literal(1),
    words: Schema.Array(Schema.String),
  }),
)
const decodeFile = Schema.decodeUnknownResult(WordFile)

/** Reads the JSON of a word tokenizer. Fails with {@link TokenizerFormatError}. */
export const decodeWordTokenizer = (
  bytes: Uint8Array,
  path: string,
): Result.Result<Tokenizer, TokenizerFormatError> => {
  const fail = (found: string) =>
    Result.fail(
      new TokenizerFormatError({
        path,
        expected: `JSON like {"format":"espalier-words","version":1,"words":["a","b"]}`,
        found,
        hint: "Is this another kind of file, or was it cut off?",
      }),
    )
  const text = decodeStrictUtf8(bytes)
  if (text === undefined) return fail("bytes that are not UTF-8")
  const file = decodeFile(text)
  if (Result.isFailure(file)) return fail(file.failure.message.replaceAll(/\s+/g, " "))
  const { words } = file.success
  const repeated = words.find((each, i) => words.indexOf(each) !== i)
  if (repeated !== undefined) return fail(`the word ${JSON.stringify(repeated)} twice`)
  return Result.succeed(makeWordTokenizer(words))
}
