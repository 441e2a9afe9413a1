import { encodeUtf8 } from "../bytes.ts"
import { mergePairs } from "../pair_merging.ts"
import { toByteCharacters } from "./byte_level.ts"
import type { JsonRecord } from "./problem.ts"
import {
  readArray,
  readFlag,
  readRecord,
  readString,
  readToken,
  show,
  TokenizerProblem,
  unsupported,
} from "./problem.ts"

/** The vocabulary and the merges of a byte-pair encoding, and what it does with unknown characters. */
export interface BytePairModel {
  readonly tokens: ReadonlyMap<string, number>
  /** For each pair `left · size + right`: the token that it makes, and minus its rank. */
  readonly merges: ReadonlyMap<number, { readonly token: number; readonly score: number }>
  /** Above every token number. */
  readonly size: number
  readonly unknown: number | undefined
  readonly fusesUnknown: boolean
  /** Whether an unknown character becomes the tokens `<0x00>` … `<0xFF>` of its bytes. */
  readonly byteFallback: boolean
  /** Whether a piece that is a token is not merged. */
  readonly ignoresMerges: boolean
  /** The sign that no merge puts behind anything else: pieces may be cut before it. */
  readonly boundary: string | undefined
}

/** SentencePiece's visible space. */
const visibleSpace = "\u2581"

const readVocabulary = (value: unknown): ReadonlyMap<string, number> =>
  new Map(
    Object.entries(readRecord(value, "model.vocab")).map(([content, token]) => [
      content,
      readToken(token, `model.vocab[${show(content)}]`),
    ]),
  )

const readMerge = (value: unknown, rank: number): readonly [left: string, right: string] => {
  const pair = typeof value === "string" ? value.split(" ") : value
  if (Array.isArray(pair) && pair.length === 2) {
    const [left, right]: ReadonlyArray<unknown> = pair
    if (typeof left === "string" && typeof right === "string") return [left, right]
  }
  const hint = "The file is damaged."
  throw new TokenizerProblem(`model.merges[${rank}] to be a pair of tokens`, show(value), hint)
}

const known = ["BPE"]

/** Parts of byte-pair encodings that decoders of language models do not have. */
const refuseOther = (model: JsonRecord): void => {
  const { type, dropout } = model
  if (type !== undefined && type !== "BPE") {
    throw unsupported("tokenizer model", `model.type ${show(type)}`, known)
  }
  for (const name of ["continuing_subword_prefix", "end_of_word_suffix"]) {
    const value = model[name] ?? ""
    if (value !== "") throw unsupported("tokenizer model", `model.${name} ${show(value)}`, known)
  }
  if (typeof dropout === "number" && dropout > 0) {
    throw unsupported("tokenizer model", `model.dropout ${dropout}`, known)
  }
}

/** Reads the `model` of a tokenizer.json; `added` are token numbers from elsewhere in the file. */
export const readBytePairModel = (value: unknown, added: ReadonlyArray<number>): BytePairModel => {
  const model = readRecord(value, "model")
  refuseOther(model)
  const tokens = readVocabulary(model["vocab"])
  let size = 0
  for (const token of tokens.values()) size = Math.max(size, token + 1)
  for (const token of added) size = Math.max(size, token + 1)
  const merges = new Map<number, { readonly token: number; readonly score: number }>()
  let boundary: string | undefined = tokens.has(visibleSpace) ? visibleSpace : undefined
  for (const [rank, item] of readArray(model["merges"], "model.merges").entries()) {
    const [left, right] = readMerge(item, rank)
    const token = tokens.get(left + right)
    const leftToken = tokens.get(left)
    const rightToken = tokens.get(right)
    if (token === undefined || leftToken === undefined || rightToken === undefined) {
      throw new TokenizerProblem(
        `model.merges[${rank}] to make a token of two tokens`,
        `${show(left)} and ${show(right)}, which are not all in model.vocab`,
        "The vocabulary and the merges are not of the same tokenizer.",
      )
    }
    const pair = leftToken * size + rightToken
    if (!merges.has(pair)) merges.set(pair, { token, score: -rank })
    if (boundary !== undefined && right.startsWith(boundary) && !left.endsWith(boundary)) {
      boundary = undefined
    }
  }
  const unknown = model["unk_token"]
  return {
    tokens,
    merges,
    size,
    unknown:
      unknown === undefined || unknown === null
        ? undefined
        : tokens.get(readString(unknown, "model.unk_token")),
    fusesUnknown: readFlag(model["fuse_unk"], "model.fuse_unk", false),
    byteFallback: readFlag(model["byte_fallback"], "model.byte_fallback", false),
    ignoresMerges: readFlag(model["ignore_merges"], "model.ignore_merges", false),
    boundary,
  }
}

const byteToken = (byte: number): string =>
  `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`

/** The tokens of the characters of a piece, before any merge. */
const makeSpeller = (model: BytePairModel): ((characters: string) => Int32Array) => {
  const { tokens, unknown, fusesUnknown } = model
  const bytes = Array.from({ length: 256 }, (_, byte) => tokens.get(byteToken(byte)))
  return (characters) => {
    const spelled: Array<number> = []
    let afterUnknown = false
    for (const character of characters) {
      const token = tokens.get(character)
      const fallback =
        token === undefined && model.byteFallback
          ? Array.from(encodeUtf8(character), (byte) => bytes[byte])
          : []
      if (token !== undefined) spelled.push(token)
      else if (fallback.length > 0 && fallback.every((byte) => byte !== undefined)) {
        spelled.push(...fallback)
      } else {
        // Without a token for the unknown the character is lost, as in the reference implementation.
        if (unknown !== undefined && !(fusesUnknown && afterUnknown)) spelled.push(unknown)
        afterUnknown = true
        continue
      }
      afterUnknown = false
    }
    return Int32Array.from(spelled)
  }
}

/** Pieces whose tokens are remembered, before all are forgotten. */
const cacheLimit = 1 << 16

/**
 * Byte-pair encoding of one piece of text: its characters (or with `byteLevel` its bytes) are joined
 * pair by pair, the merge that was learnt first before the others, leftmost first.
 *
 * Source: Sennrich, Haddow and Birch 2016; `BPE` of huggingface/tokenizers for the options.
 */
export const makeBytePairEncoder = (
  model: BytePairModel,
  byteLevel: boolean,
): ((piece: string) => Int32Array) => {
  const { tokens, merges, size, boundary } = model
  const spell = makeSpeller(model)
  const rule = (left: number, right: number) => merges.get(left * size + right)
  const cache = new Map<string, Int32Array>()
  const merge = (piece: string): Int32Array => {
    const characters = byteLevel ? toByteCharacters(piece) : piece
    const whole = model.ignoresMerges ? tokens.get(characters) : undefined
    return whole === undefined ? mergePairs(spell(characters), rule) : Int32Array.of(whole)
  }
  const remembered = (piece: string): Int32Array => {
    const before = cache.get(piece)
    if (before !== undefined) return before
    const merged = merge(piece)
    if (cache.size >= cacheLimit) cache.clear()
    cache.set(piece, merged)
    return merged
  }
  if (byteLevel || boundary === undefined || model.ignoresMerges) return remembered
  // No merge crosses the front of a boundary, so that the parts between them are merged apart.
  const parts = new RegExp(`${boundary}*[^${boundary}]+|${boundary}+`, "gu")
  return (piece) => {
    const merged = (piece.match(parts) ?? []).map(remembered)
    const joined = new Int32Array(merged.reduce((sum, { length }) => sum + length, 0))
    let offset = 0
    for (const part of merged) {
      joined.set(part, offset)
      offset += part.length
    }
    return joined
  }
}
