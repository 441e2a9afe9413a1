import { Result, Schema } from "effect"
import { decodeLlama2cTokenizer } from "./llama2c_tokenizer.ts"
import { decodeWordTokenizer } from "./word_tokenizer.ts"
import type { Tokenizer } from "./tokenizer_interface.ts"
import type { TokenizerFormatError } from "./tokenizer_interface.ts"

/** A tokenizer that belongs to another model. */
export class TokenizerMismatch extends Schema.TaggedError<TokenizerMismatch>()(
  "TokenizerMismatch",
  {
    path: Schema.String,
    /** The vocabulary of the model. */
    expected: Schema.Int,
    /** The vocabulary of the tokenizer. */
    found: Schema.Int,
    hint: Schema.String,
  },
) {
  override get message(): string {
    return `${this.path}: the tokenizer has ${this.found} tokens, the model ${this.expected}. ${this.hint}`
  }
}

/**
 * Checks that a tokenizer has exactly the tokens of a model. `path` is the tokenizer's, for the message.
 *
 * Fails with {@link TokenizerMismatch}.
 *
 * @example
 * ```ts
 * const tokenizer = makeWordTokenizer(["a", "b"])
 * Result.isSuccess(checkTokenizer(tokenizer, 5, "words.json")) // true
 * Result.isFailure(checkTokenizer(tokenizer, 512, "words.json")) // true
 * ```
 */
export const checkTokenizer = (
  tokenizer: Tokenizer,
  vocabularySize: number,
  path: string,
): Result.Result<Tokenizer, TokenizerMismatch> =>
  tokenizer.vocabularySize === vocabularySize
    ? Result.succeed(tokenizer)
    : Result.fail(
        new TokenizerMismatch({
          path,
          expected: vocabularySize,
          found: tokenizer.vocabularySize,
          hint: "Use the tokenizer that the model was trained with.",
        }),
      )

/** The bytes of a tokenizer file; {@link decodeTokenizer} reads every kind back. */
export const encodeTokenizer = (tokenizer: Tokenizer): Uint8Array => tokenizer.toBytes()

/**
 * Reads a tokenizer file of any supported kind: llama2.c's binary format, or the JSON of a word
 * tokenizer. `path` is only used in messages.
 *
 * Fails with {@link TokenizerFormatError}.
 *
 * @example
 * ```ts
 * const bytes = encodeTokenizer(makeWordTokenizer(["a", "b"]))
 * const tokenizer = Result.getOrThrow(decodeTokenizer(bytes, "words.json"))
 * tokenizer.encode("b a") // 4, 3
 * ```
 */
export const decodeTokenizer = (
  bytes: Uint8Array,
  path: string,
): Result.Result<Tokenizer, TokenizerFormatError> =>
  // The binary format begins with a length below 2^24, so that its fourth byte is 0: never in JSON.
  bytes[0] === 0x7b && bytes[3] !== 0
    ? decodeWordTokenizer(bytes, path)
    : decodeLlama2cTokenizer(bytes, path)

/**
 * The tokens of one document as language models see them: the begin token where the tokenizer has one,
 * then the tokens of the text.
 *
 * @example
 * ```ts
 * encodeDocument(makeWordTokenizer(["a", "b"]), "b a") // 1, 4, 3
 * ```
 */
export const encodeDocument = (tokenizer: Tokenizer, text: string): Int32Array => {
  const tokens = tokenizer.encode(text)
  if (tokenizer.begin === undefined) return tokens
  const document = new Int32Array(tokens.length + 1)
  document[0] = tokenizer.begin
  document.set(tokens, 1)
  return document
}
