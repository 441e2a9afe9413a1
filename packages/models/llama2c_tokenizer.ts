import { Result } from "effect"
import { encodeUtf8, makeUtf8Stream } from "./bytes.ts"
import { mergePairs } from "./pair_merging.ts"
import type { TokenDecoder, Tokenizer } from "./tokenizer_interface.ts"
import { decodeAll, outsideVocabulary, TokenizerFormatError } from "./tokenizer_interface.ts"

/** One entry of the vocabulary: its bytes, and how eagerly it is merged. */
export interface ScoredToken {
  readonly bytes: Uint8Array
  readonly score: number
}

const begin = 1
const end = 2
const firstByteToken = 3
// llama2.c starts its search for the best pair here, so that a lower score never merges.
const lowestScore = -1e10

// Token bytes as a string with one character per byte: hashable, and joined by `+`.
const toKey = (bytes: Uint8Array): string => {
  let key = ""
  for (const byte of bytes) key += String.fromCharCode(byte)
  return key
}

const byteOf = (key: string): number | undefined => {
  const match = /^<0x([0-9A-Fa-f]{2})>$/.exec(key)
  return match === null ? undefined : Number.parseInt(match[1], 16)
}

/**
 * The tokenizer of llama2.c over a given vocabulary: byte-pair encoding by score, as SentencePiece
 * makes it. Tokens 0, 1 and 2 are unknown, begin and end; tokens 3 to 258 are the bytes
 * (`<0x00>` … `<0xFF>`), used for characters that the vocabulary lacks. A text is encoded with a space
 * before it, which decoding takes away again after the begin token and at the start.
 *
 * Source: `encode` and `decode` in `run.c` of karpathy/llama2.c. Two departures: a zero character is
 * text and does not end it, and the begin token is never merged with what follows.
 *
 * @example
 * ```ts
 * const words = ["<unk>", "<s>", "</s>"]
 * for (let byte = 0; byte < 256; byte++) words.push(`<0x${byte.toString(16).padStart(2, "0")}>`)
 * words.push(" ", "a", "b", "ab")
 * const tokenizer = makeLlama2cTokenizer(
 *   words.map((word) => ({ bytes: new TextEncoder().encode(word), score: 0 })),
 * )
 * tokenizer.encode("ab") // 259, 262
 * ```
 */
export const makeLlama2cTokenizer = (vocabulary: ReadonlyArray<ScoredToken>): Tokenizer => {
  const size = vocabulary.length
  const keys = vocabulary.map(({ bytes }) => toKey(bytes))
  const numbers = new Map<string, number>()
  keys.forEach((key, token) => {
    if (!numbers.has(key)) numbers.set(key, token)
  })
  const space = numbers.get(" ")
  const contents = vocabulary.map(({ bytes }, token) => {
    const byte = byteOf(keys[token])
    return byte === undefined ? bytes : Uint8Array.of(byte)
  })
  const merges = new Map<number, { token: number; score: number } | undefined>()
  const rule = (left: number, right: number) => {
    const pair = left * size + right
    if (merges.has(pair)) return merges.get(pair)
    const token = numbers.get(keys[left] + keys[right])
    const score = token === undefined ? lowestScore : vocabulary[token].score
    const merge = token !== undefined && score > lowestScore ? { token, score } : undefined
    merges.set(pair, merge)
    return merge
  }

  const encode = (text: string): Int32Array => {
    if (text === "") return new Int32Array(0)
    const tokens: Array<number> = space === undefined ? [] : [space]
    for (const character of text) {
      const bytes = encodeUtf8(character)
      const token = numbers.get(toKey(bytes))
      if (token !== undefined) tokens.push(token)
      else for (const byte of bytes) tokens.push(byte + firstByteToken)
    }
    return mergePairs(Int32Array.from(tokens), rule)
  }

  const decoder = (): TokenDecoder => {
    const stream = makeUtf8Stream()
    let atStart = true
    return {
      push: (token) => {
        if (!(token >= 0 && token < size)) throw outsideVocabulary(token, size)
        if (token === begin || token === end) {
          atStart = true
          return stream.flush()
        }
        const content = contents[token]
        const piece = atStart && content[0] === 0x20 ? content.subarray(1) : content
        atStart = false
        return stream.push(piece)
      },
      flush: stream.flush,
    }
  }

  const toBytes = (): Uint8Array => {
    const longest = vocabulary.reduce((max, { bytes }) => Math.max(max, bytes.length), 0)
    const total = vocabulary.reduce((sum, { bytes }) => sum + 8 + bytes.length, 4)
    const file = new Uint8Array(total)
    const view = new DataView(file.buffer)
    view.setInt32(0, longest, true)
    let offset = 4
    for (const { bytes, score } of vocabulary) {
      view.setFloat32(offset, score, true)
      view.setInt32(offset + 4, bytes.length, true)
      file.set(bytes, offset + 8)
      offset += 8 + bytes.length
    }
    return file
  }

  return {
    kind: "llama2c",
    vocabularySize: size,
    begin,
    end,
    encode,
    decode: (tokens) => decodeAll(decoder(), tokens),
    decoder,
    toBytes,
  }
}

const longestPossible = 1 << 16

/**
 * Reads llama2.c's tokenizer format, little-endian: the length in bytes of the longest token (i32), then
 * for each token its score (f32), its length (i32) and its bytes, to the end of the file.
 *
 * Fails with {@link TokenizerFormatError}.
 */
export const decodeLlama2cTokenizer = (
  bytes: Uint8Array,
  path: string,
): Result.Result<Tokenizer, TokenizerFormatError> => {
  const fail = (expected: string, found: string, hint: string) =>
    Result.fail(new TokenizerFormatError({ path, expected, found, hint }))
  const format = "a llama2.c tokenizer (.bin), a tokenizer.json, or the JSON of a word tokenizer"
  const kind = "Is this another kind of file, such as a model?"
  const truncated = "The file is truncated; fetch it again."
  if (bytes.length < 4) return fail(format, `${bytes.length} bytes`, truncated)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const longest = view.getInt32(0, true)
  if (longest <= 0 || longest > longestPossible) {
    return fail(format, `a longest token of ${longest} bytes`, kind)
  }
  const vocabulary: Array<ScoredToken> = []
  let offset = 4
  while (offset < bytes.length) {
    const token = vocabulary.length
    if (offset + 8 > bytes.length) {
      return fail(
        `8 bytes of score and length for token ${token}`,
        `${bytes.length - offset} bytes before the end`,
        truncated,
      )
    }
    const score = view.getFloat32(offset, true)
    const length = view.getInt32(offset + 4, true)
    if (length < 0 || length > longest || Number.isNaN(score)) {
      return fail(
        `token ${token} with a score and 0 to ${longest} bytes`,
        `score ${score} and ${length} bytes`,
        kind,
      )
    }
    if (offset + 8 + length > bytes.length) {
      return fail(
        `${length} bytes of token ${token}`,
        `${bytes.length - offset - 8} bytes before the end`,
        truncated,
      )
    }
    vocabulary.push({
      score,
      bytes: Uint8Array.from(bytes.subarray(offset + 8, offset + 8 + length)),
    })
    offset += 8 + length
  }
  if (vocabulary.length < firstByteToken + 256) {
    return fail(
      `at least ${firstByteToken + 256} tokens: unknown, begin, end and the 256 bytes`,
      `${vocabulary.length} tokens`,
      truncated,
    )
  }
  return Result.succeed(makeLlama2cTokenizer(vocabulary))
}
