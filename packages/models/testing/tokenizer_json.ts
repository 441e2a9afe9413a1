import { readData } from "@espalier/testing"
import { encodeUtf8 } from "../bytes.ts"

/** A file of a tokenizer as the tests change it before they write it. */
export type TokenizerFile = Readonly<Record<string, unknown>>

/** The bytes of a tokenizer.json. */
export const fileBytes = (file: unknown): Uint8Array => encodeUtf8(JSON.stringify(file))

const added = (id: number, content: string) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
})

/** The parts around the model that LLaMA and Mistral have in tokenizer.json. */
export const llamaParts = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: ["<unk>", "<s>", "</s>"].map((content, id) => added(id, content)),
  normalizer: {
    type: "Sequence",
    normalizers: [
      { type: "Prepend", prepend: "▁" },
      { type: "Replace", pattern: { String: " " }, content: "▁" },
    ],
  },
  pre_tokenizer: null,
  post_processor: {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    pair: [],
    special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
  },
  decoder: {
    type: "Sequence",
    decoders: [
      { type: "Replace", pattern: { String: "▁" }, content: " " },
      { type: "ByteFallback" },
      { type: "Fuse" },
      { type: "Strip", content: " ", start: 1, stop: 0 },
    ],
  },
} as const

/**
 * The tokenizer of stories260K as a tokenizer.json, with the merges that its scores imply: a
 * SentencePiece model is converted in this way for LLaMA.
 */
export const makeStoriesTokenizerFile = (): TokenizerFile => {
  const bytes = readData("language-models/tok512.bin")
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const tokens: Array<{ readonly content: string; readonly score: number }> = []
  const names = ["<unk>", "<s>", "</s>"]
  for (let offset = 4; offset < bytes.length;) {
    const score = view.getFloat32(offset, true)
    const length = view.getInt32(offset + 4, true)
    const text = new TextDecoder().decode(bytes.subarray(offset + 8, offset + 8 + length))
    const content = names[tokens.length] ?? text.replaceAll(" ", "▁")
    tokens.push({ content, score })
    offset += 8 + length
  }
  const vocab = Object.fromEntries(tokens.map(({ content }, token) => [content, token]))
  const merges = tokens
    .slice(259)
    .flatMap(({ content, score }) => {
      const characters = Array.from(content)
      return characters.slice(1).map((_, i) => ({
        score,
        left: characters.slice(0, i + 1).join(""),
        right: characters.slice(i + 1).join(""),
      }))
    })
    .filter(({ left, right }) => left in vocab && right in vocab)
    .sort((a, b) => b.score - a.score)
    .map(({ left, right }) => `${left} ${right}`)
  const model = { type: "BPE", unk_token: "<unk>", fuse_unk: true, byte_fallback: true }
  return { ...llamaParts, model: { ...model, vocab, merges } }
}

const bytes = Array.from({ length: 256 }, (_, byte) => byte)
const stands = (byte: number) =>
  (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
const others = bytes.filter((byte) => !stands(byte))

/** A small byte-level tokenizer with the given merges, such as `"h e"`. */
export const makeByteLevelFile = (merges: ReadonlyArray<string>, change: TokenizerFile = {}) => {
  const characters = bytes.map((byte) =>
    String.fromCharCode(stands(byte) ? byte : 256 + others.indexOf(byte)),
  )
  const contents = [...characters, ...merges.map((merge) => merge.replace(" ", ""))]
  const vocab = Object.fromEntries(contents.map((content, token) => [content, token]))
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true }
  return {
    added_tokens: [added(contents.length, "<|endoftext|>")],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: byteLevel,
    decoder: byteLevel,
    model: { type: "BPE", vocab, merges },
    ...change,
  }
}
