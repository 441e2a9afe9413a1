import { Result } from "effect"
import { decodeStrictUtf8, encodeUtf8, makeUtf8Stream } from "../bytes.ts"
import type { TokenDecoder, Tokenizer } from "../tokenizer_interface.ts"
import { decodeAll, TokenizerFormatError } from "../tokenizer_interface.ts"
import { makeAddedTokenFinder, readAddedTokens } from "./added_tokens.ts"
import { makeBytePairEncoder, readBytePairModel } from "./byte_pair_encoding.ts"
import { readNormalizer } from "./normalizer.ts"
import { readPreTokenizer } from "./pre_tokenizer.ts"
import type { JsonRecord } from "./problem.ts"
import { readRecord, show, TokenizerProblem } from "./problem.ts"
import type { DocumentTokens } from "./special_tokens.ts"
import { configuredBegin, findEnd, readBegin } from "./special_tokens.ts"
import { readTokenBytes } from "./token_bytes.ts"

/** What stands beside a tokenizer.json. */
export interface TokenizerJsonOptions {
  /** The bytes of tokenizer_config.json, which may say otherwise about begin and end. */
  readonly config?: Uint8Array | undefined
}

/** The parts of a tokenizer, ready to use. */
const readParts = (file: JsonRecord, config: JsonRecord) => {
  const added = readAddedTokens(file["added_tokens"])
  const model = readBytePairModel(
    file["model"],
    added.map(({ token }) => token),
  )
  const normalize = readNormalizer(file["normalizer"])
  const preTokenizer = readPreTokenizer(file["pre_tokenizer"])
  const { bytesOf, dropsFirstSpace } = readTokenBytes(file["decoder"])
  const numbers = new Map(added.map(({ content, token }) => [content, token]))
  const tokenOf = (name: string) => numbers.get(name) ?? model.tokens.get(name)
  const written = readBegin(file["post_processor"], tokenOf)
  const contents = new Map<number, Uint8Array>()
  for (const [content, token] of model.tokens) contents.set(token, bytesOf(content))
  for (const { content, token } of added) contents.set(token, encodeUtf8(content))
  return {
    size: model.size,
    normalize,
    cut: preTokenizer.cut,
    merge: makeBytePairEncoder(model, preTokenizer.byteLevel),
    findGiven: makeAddedTokenFinder(
      added.filter(({ normalized }) => !normalized),
      (content) => content,
    ),
    findNormalized: makeAddedTokenFinder(
      added.filter(({ normalized }) => normalized),
      normalize,
    ),
    contents,
    dropsFirstSpace,
    written,
    begin: configuredBegin(config, written, tokenOf),
    end: findEnd(config, added, tokenOf),
  }
}
type Parts = ReturnType<typeof readParts>

const makeEncode =
  ({ findGiven, findNormalized, normalize, cut, merge }: Parts) =>
  (text: string): Int32Array => {
    const tokens: Array<number> = []
    for (const [i, given] of findGiven(text).entries()) {
      if ("token" in given) {
        tokens.push(given.token)
        continue
      }
      for (const [j, section] of findNormalized(normalize(given.text)).entries()) {
        if ("token" in section) tokens.push(section.token)
        else {
          for (const piece of cut(section.text, i === 0 && j === 0)) {
            for (const token of merge(piece)) tokens.push(token)
          }
        }
      }
    }
    return Int32Array.from(tokens)
  }

const nothing = new Uint8Array(0)

const makeDecoder =
  ({ contents, dropsFirstSpace, begin, end }: Parts) =>
  (): TokenDecoder => {
    const stream = makeUtf8Stream()
    let atStart = true
    return {
      push: (token) => {
        if (!(token >= 0)) throw new RangeError(`token ${token} is no token number`)
        if (token === begin || token === end) {
          atStart = true
          return stream.flush()
        }
        const content = contents.get(token) ?? nothing
        const drops = atStart && dropsFirstSpace && content[0] === 0x20
        if (content.length > 0) atStart = false
        return stream.push(drops ? content.subarray(1) : content)
      },
      flush: stream.flush,
    }
  }

const beginTemplate = (file: JsonRecord, begin: number | undefined): JsonRecord | null => {
  if (begin === undefined) return null
  const added = readAddedTokens(file["added_tokens"])
  const vocabulary = Object.entries(readRecord(readRecord(file["model"], "model")["vocab"], ""))
  const id =
    added.find(({ token }) => token === begin)?.content ??
    vocabulary.find(([, token]) => token === begin)?.[0] ??
    ""
  const special = { SpecialToken: { id, type_id: 0 } }
  const sequence = (letter: string, type_id: number) => ({ Sequence: { id: letter, type_id } })
  return {
    type: "TemplateProcessing",
    single: [special, sequence("A", 0)],
    pair: [special, sequence("A", 0), { SpecialToken: { id, type_id: 1 } }, sequence("B", 1)],
    special_tokens: { [id]: { id, ids: [begin], tokens: [id] } },
  }
}

/** The object of a tokenizer_config.json; an empty one where there is none. */
export const parseConfig = ({ config }: TokenizerJsonOptions): JsonRecord =>
  config === undefined ? {} : parseJsonRecord(config, "a tokenizer_config.json")

/**
 * A byte-pair tokenizer from the object of a tokenizer.json. `bytes` is that file where there is one.
 * Throws a `TokenizerProblem`.
 */
export const makeTokenizerFromJson = (
  file: JsonRecord,
  options: TokenizerJsonOptions,
  bytes?: Uint8Array,
): Tokenizer => {
  if (!("model" in file)) {
    const hint = Object.values(file).every((value) => typeof value === "number")
      ? "A vocab.json is no tokenizer without its merges.txt: use decodeVocabularyAndMerges."
      : "Is this another kind of file?"
    const keys = Object.keys(file).slice(0, 4).map(show).join(", ")
    throw new TokenizerProblem("a tokenizer.json with a model", `the keys ${keys} …`, hint)
  }
  const { config } = options
  const parts = readParts(file, parseConfig(options))
  const { size, begin, end, written } = parts
  const decoder = makeDecoder(parts)
  const tokens: DocumentTokens = {
    ...(begin === undefined ? {} : { begin }),
    ...(end === undefined ? {} : { end }),
  }
  return {
    kind: "byte-pairs",
    vocabularySize: size,
    ...tokens,
    encode: makeEncode(parts),
    decode: (list) => decodeAll(decoder(), list),
    decoder,
    toBytes: () =>
      bytes !== undefined && written === begin
        ? Uint8Array.from(bytes)
        : encodeUtf8(
            `${JSON.stringify(
              written === begin ? file : { ...file, post_processor: beginTemplate(file, begin) },
            )}\n`,
          ),
    ...(config === undefined ? {} : { toConfigBytes: () => Uint8Array.from(config) }),
  }
}

/** JSON in UTF-8 as an object; throws a `TokenizerProblem`. */
export const parseJsonRecord = (bytes: Uint8Array, what: string): JsonRecord => {
  const hint = "Is this another kind of file, or was it cut off?"
  const text = decodeStrictUtf8(bytes)
  if (text === undefined) throw new TokenizerProblem(what, "bytes that are not UTF-8", hint)
  let value: unknown
  try {
    value = JSON.parse(text.startsWith("\ufeff") ? text.slice(1) : text)
  } catch (error) {
    const found = error instanceof Error ? error.message.replaceAll(/\s+/g, " ") : "other text"
    throw new TokenizerProblem(what, `no JSON: ${found}`, hint)
  }
  return readRecord(value, what)
}

/** Runs a reader; a `TokenizerProblem` becomes a `TokenizerFormatError`, another error is a bug. */
export const withoutProblems = <A>(
  path: string,
  read: () => A,
): Result.Result<A, TokenizerFormatError> => {
  try {
    return Result.succeed(read())
  } catch (error) {
    if (!(error instanceof TokenizerProblem)) throw error
    const { expected, found, hint } = error
    return Result.fail(new TokenizerFormatError({ path, expected, found, hint }))
  }
}

/**
 * Reads the tokenizer.json of the Hugging Face tokenizers library: byte-pair encoding over bytes
 * (GPT-2, OPT, GPT-NeoX, LLaMA 3, Qwen) or over characters with byte fall-back (LLaMA, Mistral, Gemma).
 *
 * `begin` is the token that the file's post-processor puts before a text, unless `add_bos_token` of
 * tokenizer_config.json says otherwise; `end` is its `eos_token`, else the special token with a usual
 * name such as `</s>`. Text that spells a special token is encoded as that token. Numbers past the
 * vocabulary, as in embeddings padded to a round size, are decoded as nothing.
 *
 * Fails with {@link TokenizerFormatError}, which names the part that is not supported.
 */
export const decodeTokenizerJson = (
  bytes: Uint8Array,
  path: string,
  options: TokenizerJsonOptions = {},
): Result.Result<Tokenizer, TokenizerFormatError> =>
  withoutProblems(path, () =>
    makeTokenizerFromJson(parseJsonRecord(bytes, "a tokenizer.json"), options, bytes),
  )
