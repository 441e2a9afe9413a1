import { Schema } from "effect"

/**
 * Turns text into token numbers and back. Every kind of tokenizer has this face.
 *
 * `encode` adds no begin or end token (see `encodeDocument`); `decode` drops both.
 */
export interface Tokenizer {
  readonly kind: string
  readonly vocabularySize: number
  /** The token before a document. */
  readonly begin?: number
  /** The token after a document. */
  readonly end?: number
  readonly encode: (text: string) => Int32Array
  /** Throws a `RangeError` for a number outside the vocabulary, which is never a user's doing. */
  readonly decode: (tokens: ArrayLike<number>) => string
  /** A decoder for tokens that come one by one. */
  readonly decoder: () => TokenDecoder
  /** The tokenizer as a file. */
  readonly toBytes: () => Uint8Array
  /** The tokenizer_config.json that it was read with, where there was one; it belongs beside the file. */
  readonly toConfigBytes?: () => Uint8Array
}

/**
 * Text as it comes: each call gives what the token adds, and holds back a character whose bytes are
 * not complete yet. The pieces together are what `decode` gives for all the tokens.
 *
 * @example
 * ```ts
 * const decoder = makeWordTokenizer(["a", "b"]).decoder()
 * const pieces = [3, 4].map((token) => decoder.push(token)) // "a", " b"
 * const rest = decoder.flush()
 * ```
 */
export interface TokenDecoder {
  readonly push: (token: number) => string
  /** What was held back; an incomplete character comes as U+FFFD. */
  readonly flush: () => string
}

/** A tokenizer file is truncated, damaged or of another kind. */
export class TokenizerFormatError extends Schema.TaggedError<TokenizerFormatError>()(
  "TokenizerFormatError",
  {
    path: Schema.String,
    expected: Schema.String,
    found: Schema.String,
    hint: Schema.String,
  },
) {
  override get message(): string {
    return `${this.path}: expected ${this.expected}, found ${this.found}. ${this.hint}`
  }
}

/** Decodes a whole sequence through the streaming decoder. */
export const decodeAll = (decoder: TokenDecoder, tokens: ArrayLike<number>): string => {
  const pieces: Array<string> = []
  for (let i = 0; i < tokens.length; i++) pieces.push(decoder.push(tokens[i]))
  pieces.push(decoder.flush())
  return pieces.join("")
}

/** The error of a token that no tokenizer of this size can have made. */
export const outsideVocabulary = (token: number, vocabularySize: number): RangeError =>
  new RangeError(`token ${token} is outside the vocabulary of ${vocabularySize}`)
