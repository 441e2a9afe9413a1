import { assert, describe, it } from "@effect/vitest"
import { hasData, needsData } from "@espalier/testing"
import { Result } from "effect"
import { makeLlama2cTokenizer } from "../llama2c_tokenizer.ts"
import { readStoriesTokenizer } from "../testing/stories.ts"
import {
  fileBytes,
  llamaParts,
  makeByteLevelFile,
  makeStoriesTokenizerFile,
} from "../testing/tokenizer_json.ts"
import { makeVocabulary } from "../testing/vocabulary.ts"
import { decodeTokenizer } from "../tokenizer.ts"
import type { Tokenizer } from "../tokenizer_interface.ts"
import { makeWordTokenizer } from "../word_tokenizer.ts"
import type { GgufValue } from "./metadata.ts"
import { decodeTokenizerMetadata, encodeTokenizerMetadata } from "./tokenizer_metadata.ts"

const encode = (tokenizer: Tokenizer | undefined, size = tokenizer?.vocabularySize ?? 0) =>
  new Map(encodeTokenizerMetadata(tokenizer, size))

/** Values under their last names, as plain numbers, texts and lists. */
const plain = (metadata: ReadonlyMap<string, GgufValue>): Record<string, unknown> =>
  Object.fromEntries(
    [...metadata].map(([key, value]) => [
      key.replace("tokenizer.ggml.", ""),
      value.type === "array" ? [...value.values] : value.value,
    ]),
  )

const fromFile = (file: unknown) =>
  Result.getOrThrow(decodeTokenizer(fileBytes(file), "tokenizer.json"))

describe("tokenizers in GGUF metadata", () => {
  it("of llama2.c come back", () => {
    const tokenizer = makeLlama2cTokenizer(makeVocabulary([" ", "a", "b", "ab", " ab", "é"]))
    const back = decodeTokenizerMetadata(encode(tokenizer))
    for (const text of ["ab abba é", "", "x🌳"]) {
      assert.deepStrictEqual(back?.encode(text), tokenizer.encode(text))
    }
    assert.deepStrictEqual([back?.begin, back?.end], [1, 2])
  })

  it("are padded to the tokens of the model", () => {
    const tokenizer = makeLlama2cTokenizer(makeVocabulary(["a"]))
    const { tokens, scores, token_type: types } = plain(encode(tokenizer, 262))
    assert.isArray(tokens)
    if (!Array.isArray(tokens) || !Array.isArray(types) || !Array.isArray(scores)) return
    assert.deepStrictEqual(tokens.slice(259), ["a", "[PAD260]", "[PAD261]"])
    assert.deepStrictEqual(types.slice(258), [6, 1, 5, 5])
    assert.strictEqual(scores.length, 262)
  })

  it("of words, and none at all, leave llama.cpp with token numbers", () => {
    for (const tokenizer of [makeWordTokenizer(["a"]), undefined]) {
      assert.deepStrictEqual(plain(encode(tokenizer)), { model: "no_vocab" })
      assert.isUndefined(decodeTokenizerMetadata(encode(tokenizer)))
    }
  })

  it("of bytes are those of GPT-2", () => {
    const tokenizer = fromFile(makeByteLevelFile(["h e", "l l", "he ll"]))
    const found = plain(encode(tokenizer))
    assert.deepInclude(found, {
      model: "gpt2",
      pre: "gpt-2",
      merges: ["h e", "l l", "he ll"],
      add_bos_token: false,
      eos_token_id: 259,
    })
    const { tokens, token_type: types } = found
    if (!Array.isArray(tokens) || !Array.isArray(types)) return assert.fail("no tokens")
    assert.deepStrictEqual(tokens.slice(256), ["he", "ll", "hell", "<|endoftext|>"])
    assert.deepStrictEqual(types.slice(256), [1, 1, 1, 3])
    assert.isUndefined(decodeTokenizerMetadata(encode(tokenizer)))
  })

  it("of bytes say how texts are cut, where llama.cpp knows it", () => {
    const split = (Regex: string) => ({
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, use_regex: false },
      ],
    })
    const nameOf = (Regex: string) =>
      plain(encode(fromFile(makeByteLevelFile([], { pre_tokenizer: split(Regex) }))))["pre"]
    assert.strictEqual(nameOf(String.raw`(?i:'s|'t)|\p{L}+|\p{N}{1,3}`), "llama-bpe")
    assert.strictEqual(nameOf(String.raw`(?i:'s|'t)|\p{L}+|\p{N}`), "qwen2")
    assert.strictEqual(nameOf(String.raw`\p{L}+|\p{N}{1,3}`), "default")
  })

  it("with byte fall-back are those of SentencePiece", () => {
    const contents = ["<unk>", "<s>", "</s>"]
    for (let byte = 0; byte < 256; byte++) {
      contents.push(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`)
    }
    contents.push("▁", "a", "b", "ab", "▁ab")
    const vocab = Object.fromEntries(contents.map((content, token) => [content, token]))
    const model = { type: "BPE", unk_token: "<unk>", byte_fallback: true, fuse_unk: true }
    const merges = ["a b", "▁ ab"]
    const tokenizer = fromFile({ ...llamaParts, model: { ...model, vocab, merges } })
    const found = plain(encode(tokenizer))
    assert.deepInclude(found, {
      model: "llama",
      bos_token_id: 1,
      eos_token_id: 2,
      add_bos_token: true,
      add_space_prefix: true,
    })
    const { scores, token_type: types } = found
    if (!Array.isArray(scores) || !Array.isArray(types)) return assert.fail("no tokens")
    assert.deepStrictEqual(scores.slice(259), [-2, -2, -2, 0, -1])
    assert.deepStrictEqual(types.slice(0, 4), [2, 3, 3, 6])
    const back = decodeTokenizerMetadata(encode(tokenizer))
    for (const text of ["ab ab", "abba x"]) {
      assert.deepStrictEqual(back?.encode(text), tokenizer.encode(text))
    }
  })

  it.skipIf(!hasData)(`of stories260K come back by way of both kinds${needsData}`, () => {
    const tokenizer = readStoriesTokenizer()
    const text = "Once upon a time, there was a little girl named Lily.\nShe said: ¿qué?"
    for (const each of [tokenizer, fromFile(makeStoriesTokenizerFile())]) {
      const back = decodeTokenizerMetadata(encode(each))
      assert.deepStrictEqual(back?.encode(text), tokenizer.encode(text))
      assert.strictEqual(back?.decode(tokenizer.encode(text)), text)
    }
    const { tokens } = plain(encode(tokenizer))
    assert.strictEqual(Array.isArray(tokens) ? new Set(tokens).size : 0, 512)
  })

  it("that llama2.c's way does not serve are left out", () => {
    const good = encode(makeLlama2cTokenizer(makeVocabulary(["a"])))
    assert.isDefined(decodeTokenizerMetadata(good))
    const without = (key: string, value?: GgufValue) => {
      const changed = new Map(good)
      if (value === undefined) changed.delete(`tokenizer.ggml.${key}`)
      else changed.set(`tokenizer.ggml.${key}`, value)
      assert.isUndefined(decodeTokenizerMetadata(changed))
    }
    without("model")
    without("model", { type: "string", value: "bert" })
    without("tokens")
    without("scores")
    without("scores", { type: "array", of: "float32", values: new Float32Array(3) })
    without("tokens", { type: "array", of: "string", values: ["a"] })
    without("add_space_prefix", { type: "bool", value: false })
    without("bos_token_id", { type: "uint32", value: 7 })
    without("eos_token_id", { type: "uint32", value: 7 })
  })
})
