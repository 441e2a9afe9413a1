import { decodeStrictUtf8, encodeUtf8 } from "../bytes.ts"
import type { ScoredToken } from "../llama2c_tokenizer.ts"
import { makeLlama2cTokenizer } from "../llama2c_tokenizer.ts"
import type { Tokenizer } from "../tokenizer_interface.ts"
import { readAddedTokens } from "../tokenizer_json/added_tokens.ts"
import { readBytePairModel } from "../tokenizer_json/byte_pair_encoding.ts"
import { readRecord } from "../tokenizer_json/problem.ts"
import type { GgufMetadata, GgufValue } from "./metadata.ts"
import { integerOf } from "./metadata.ts"

/** Kinds of tokens, as llama.cpp counts them. */
const kinds = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

interface Token {
  readonly text: string
  readonly score: number
  readonly kind: number
}

/** SentencePiece's visible space, in which llama.cpp expects vocabularies. */
const visibleSpace = "\u2581"
const isByteName = (text: string): boolean => /^<0x[0-9A-Fa-f]{2}>$/.test(text)

/** The entries of a llama2.c tokenizer file that was written here. */
const readEntries = (file: Uint8Array): ReadonlyArray<ScoredToken> => {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const entries: Array<ScoredToken> = []
  for (let at = 4; at < file.length;) {
    const length = view.getInt32(at + 4, true)
    entries.push({
      score: view.getFloat32(at, true),
      bytes: file.subarray(at + 8, at + 8 + length),
    })
    at += 8 + length
  }
  return entries
}

const special = ["<unk>", "<s>", "</s>"] as const

const llama2cTokens = (tokenizer: Tokenizer): ReadonlyArray<Token> =>
  readEntries(tokenizer.toBytes()).map(({ bytes, score }, token) => {
    if (token < special.length) {
      return { text: special[token], score, kind: token === 0 ? kinds.unknown : kinds.control }
    }
    // A token of broken UTF-8 never stands for a whole text: llama.cpp goes without it.
    const text = decodeStrictUtf8(bytes)
    if (text === undefined) return { text: `[BYTES${token}]`, score, kind: kinds.unused }
    const kind = isByteName(text) ? kinds.byte : kinds.normal
    return { text: text.replaceAll(" ", visibleSpace), score, kind }
  })

/** The name by which llama.cpp knows how a byte-level tokenizer cuts texts into words. */
const cutName = (preTokenizer: unknown): string => {
  const text = JSON.stringify(preTokenizer)
  if (text.includes("(?i:'s")) return text.includes("{1,3}") ? "llama-bpe" : "qwen2"
  return text.includes('"Split"') ? "default" : "gpt-2"
}

const bytePairTokens = (
  file: Readonly<Record<string, unknown>>,
): { readonly tokens: ReadonlyArray<Token>; readonly merges: ReadonlyArray<string> } => {
  const added = readAddedTokens(file["added_tokens"])
  const model = readBytePairModel(
    file["model"],
    added.map(({ token }) => token),
  )
  const content = new Map([...model.tokens].map(([text, token]) => [token, text]))
  const scores = new Map<number, number>()
  const merges: Array<string> = []
  for (const [pair, { token, score }] of model.merges) {
    // Of several ways to make a token the first counts; `+ 0` is no −0.
    if (!scores.has(token)) scores.set(token, score + 0)
    const [left, right] = [Math.floor(pair / model.size), pair % model.size]
    merges.push(`${content.get(left)} ${content.get(right)}`)
  }
  const byNumber = new Map(added.map((each) => [each.token, each]))
  const tokens = Array.from({ length: model.size }, (_, token): Token => {
    const extra = byNumber.get(token)
    const text = extra?.content ?? content.get(token)
    if (text === undefined) return { text: `[PAD${token}]`, score: 0, kind: kinds.unused }
    if (token === model.unknown) return { text, score: 0, kind: kinds.unknown }
    if (extra !== undefined) {
      return { text, score: 0, kind: extra.special ? kinds.control : kinds.userDefined }
    }
    if (model.byteFallback && isByteName(text)) return { text, score: 0, kind: kinds.byte }
    // What no merge makes is never preferred to what one makes.
    return { text, score: scores.get(token) ?? -merges.length, kind: kinds.normal }
  })
  return { tokens, merges }
}

type Entries = ReadonlyArray<readonly [string, GgufValue]>
const string = (value: string): GgufValue => ({ type: "string", value })
const flag = (value: boolean): GgufValue => ({ type: "bool", value })
const uint32 = (value: number): GgufValue => ({ type: "uint32", value })

/** Tokens, padded to as many as the model has. */
const encodeTokens = (tokens: ReadonlyArray<Token>, vocabularySize: number): Entries => {
  const padded = Array.from(
    { length: Math.max(tokens.length, vocabularySize) },
    (_, i): Token => tokens[i] ?? { text: `[PAD${i}]`, score: 0, kind: kinds.unused },
  )
  const texts = padded.map(({ text }) => text)
  const scores = Float32Array.from(padded, ({ score }) => score)
  const types = Int32Array.from(padded, ({ kind }) => kind)
  return [
    ["tokenizer.ggml.tokens", { type: "array", of: "string", values: texts }],
    ["tokenizer.ggml.scores", { type: "array", of: "float32", values: scores }],
    ["tokenizer.ggml.token_type", { type: "array", of: "int32", values: types }],
  ]
}

const encodeSpecial = ({ begin, end }: Tokenizer): Entries => [
  ...(begin === undefined ? [] : [["tokenizer.ggml.bos_token_id", uint32(begin)] as const]),
  ...(end === undefined ? [] : [["tokenizer.ggml.eos_token_id", uint32(end)] as const]),
  ["tokenizer.ggml.add_bos_token", flag(begin !== undefined)],
]

/**
 * A tokenizer under the keys of llama.cpp: llama2.c's and those with byte fall-back as `llama`
 * (SentencePiece), byte-level ones as `gpt2`. There is no place for a tokenizer of words; llama.cpp
 * then runs the model on token numbers, as it does without any tokenizer.
 */
export const encodeTokenizerMetadata = (
  tokenizer: Tokenizer | undefined,
  vocabularySize: number,
): Entries => {
  if (tokenizer === undefined || tokenizer.kind === "words") {
    return [["tokenizer.ggml.model", string("no_vocab")]]
  }
  if (tokenizer.kind === "llama2c") {
    return [
      ["tokenizer.ggml.model", string("llama")],
      ...encodeTokens(llama2cTokens(tokenizer), vocabularySize),
      ["tokenizer.ggml.unknown_token_id", uint32(0)],
      ...encodeSpecial(tokenizer),
      ["tokenizer.ggml.add_space_prefix", flag(true)],
    ]
  }
  const parsed: unknown = JSON.parse(decodeStrictUtf8(tokenizer.toBytes()) ?? "{}")
  const file = readRecord(parsed, "a tokenizer.json")
  const { tokens, merges } = bytePairTokens(file)
  const preTokenizer = file["pre_tokenizer"] ?? null
  const shared = [...encodeTokens(tokens, vocabularySize), ...encodeSpecial(tokenizer)]
  if (JSON.stringify(preTokenizer).includes('"ByteLevel"')) {
    return [
      ["tokenizer.ggml.model", string("gpt2")],
      ["tokenizer.ggml.pre", string(cutName(preTokenizer))],
      ...shared,
      ["tokenizer.ggml.merges", { type: "array", of: "string", values: merges }],
    ]
  }
  const texts = JSON.stringify([file["normalizer"] ?? null, preTokenizer])
  const prefixed = texts.includes('"Prepend"') || /"prepend_scheme":"(first|always)"/.test(texts)
  return [
    ["tokenizer.ggml.model", string("llama")],
    ...shared,
    ["tokenizer.ggml.add_space_prefix", flag(prefixed)],
  ]
}

const byteName = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`

/**
 * The tokenizer of a file, where it is one that llama2.c's way of encoding serves: SentencePiece's
 * pairs by score, with tokens 0 to 2 for unknown, begin and end and 3 to 258 for the bytes, as in LLaMA
 * 1 and 2. `undefined` for any other, and where there is none.
 */
export const decodeTokenizerMetadata = (metadata: GgufMetadata): Tokenizer | undefined => {
  const model = metadata.get("tokenizer.ggml.model")
  const tokens = metadata.get("tokenizer.ggml.tokens")
  const scores = metadata.get("tokenizer.ggml.scores")
  const prefix = metadata.get("tokenizer.ggml.add_space_prefix")
  if (model?.type !== "string" || model.value !== "llama") return undefined
  if (tokens?.type !== "array" || tokens.of !== "string") return undefined
  if (scores?.type !== "array" || scores.of !== "float32") return undefined
  if (prefix?.type === "bool" && !prefix.value) return undefined
  const texts = tokens.values
  if (texts.length < 259 || scores.values.length !== texts.length) return undefined
  if (scores.values.some(Number.isNaN)) return undefined
  const [begin, end] = ["bos", "eos"].map((name) =>
    integerOf(metadata.get(`tokenizer.ggml.${name}_token_id`)),
  )
  if ((begin ?? 1) !== 1 || (end ?? 2) !== 2) return undefined
  for (let byte = 0; byte < 256; byte++) {
    if (texts[3 + byte].toUpperCase() !== byteName(byte).toUpperCase()) return undefined
  }
  return makeLlama2cTokenizer(
    texts.map((text, token) => ({
      bytes: encodeUtf8(text.replaceAll(visibleSpace, " ")),
      score: scores.values[token],
    })),
  )
}
