import { Result, Schema } from "effect"
import { decodeLlama2cTokenizer } from "./llama2c_tokenizer.ts"
import type { TokenizerJsonOptions } from "./tokenizer_json/tokenizer_json.ts"
import { decodeTokenizerJson } from "./tokenizer_json/tokenizer_json.ts"
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

/** Embeddings are padded to a round size, but never by more than this. */
const paddingLimit = 4096

/**
 * Checks that a tokenizer has the tokens of a model. `path` is the tokenizer's, for the message. Byte-pair
 * tokenizers of checkpoints may have some fewer: the embedding is then padded to a round size.
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
): Result.Result<Tokenizer, TokenizerMismatch> => {
  const missing = vocabularySize - tokenizer.vocabularySize
  return missing >= 0 && missing <= (tokenizer.kind === "byte-pairs" ? paddingLimit : 0)
    ? Result.succeed(tokenizer)
    : Result.fail(
        new TokenizerMismatch({
          path,
          expected: vocabularySize,
          found: tokenizer.vocabularySize,
          hint: "Use the tokenizer that the model was trained with.",
        }),
      )
}

/** The bytes of a tokenizer file; {@link decodeTokenizer} reads every kind back. */
export const encodeTokenizer = (tokenizer: Tokenizer): Uint8Array => tokenizer.toBytes()

/**
 * What the file of a tokenizer is called in the folder of a checkpoint.
 *
 * @example
 * ```ts
 * tokenizerFileName(makeWordTokenizer(["a", "b"])) // "tokenizer.json"
 * ```
 */
export const tokenizerFileName = (tokenizer: Tokenizer): "tokenizer.bin" | "tokenizer.json" =>
  tokenizer.kind === "llama2c" ? "tokenizer.bin" : "tokenizer.json"

const isText = (bytes: Uint8Array): boolean => {
  // The binary format begins with a length below 2^24, so that its fourth byte is 0: never in JSON.
  const first = bytes.find((byte) => byte !== 0x20 && (byte < 0x09 || byte > 0x0d))
  return first === 0x7b && bytes[3] !== 0
}

/** Whose JSON it is: that of a word tokenizer names its format first. */
const isWordFile = (bytes: Uint8Array): boolean =>
  String.fromCharCode(...bytes.subarray(0, 128)).includes('"espalier-words"')

/**
 * Reads a tokenizer file of any supported kind: llama2.c's binary format, the tokenizer.json of a
 * Hugging Face checkpoint, or the JSON of a word tokenizer. `path` is only used in messages.
 *
 * Of a Hugging Face tokenizer, `begin` is the token that its post-processor puts before a text, unless
 * `add_bos_token` in the tokenizer_config.json given as `config` says otherwise; `end` is `eos_token`
 * there, else the special token with a usual name such as `</s>`. Text that spells a special token is
 * encoded as that token, and numbers past the vocabulary are decoded as nothing.
 *
 * Fails with {@link TokenizerFormatError}, which names the part that is damaged or not supported.
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
  options: TokenizerJsonOptions = {},
): Result.Result<Tokenizer, TokenizerFormatError> => {
  if (!isText(bytes)) return decodeLlama2cTokenizer(bytes, path)
  return isWordFile(bytes)
    ? decodeWordTokenizer(bytes, path)
    : decodeTokenizerJson(bytes, path, options)
}

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
