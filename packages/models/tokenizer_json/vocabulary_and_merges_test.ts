import { assert, describe, it } from "@effect/vitest"
import { hasData, needsData, readData } from "@espalier/testing"
import { Result, Schema } from "effect"
import { encodeUtf8 } from "../bytes.ts"
import { fileBytes, makeByteLevelFile } from "../testing/tokenizer_json.ts"
import { decodeTokenizer } from "../tokenizer.ts"
import { decodeVocabularyAndMerges } from "./vocabulary_and_merges.ts"

const small = makeByteLevelFile(["h e", "l o"])
const vocabulary = fileBytes({ ...small.model.vocab, "</s>": 258, "<|go|>": 259 })
const read = (merges: string, config?: unknown) =>
  decodeVocabularyAndMerges({ vocabulary, merges: encodeUtf8(merges) }, "gpt", {
    config: config === undefined ? undefined : fileBytes(config),
  })

describe("vocab.json and merges.txt", () => {
  it("make a byte-level tokenizer, with or without a version and carriage returns", () => {
    for (const merges of ["#version: 0.2\nh e\nl o\n", "h e\r\nl o\r\n"]) {
      const tokenizer = Result.getOrThrow(read(merges))
      assert.deepStrictEqual([...tokenizer.encode("helo")], [256, 257])
      assert.deepStrictEqual([tokenizer.begin, tokenizer.end], [undefined, 258])
    }
  })

  it("follow tokenizer_config.json, and come back as a tokenizer.json", () => {
    const config = { bos_token: { content: "<|go|>" }, add_bos_token: true, add_prefix_space: true }
    const tokenizer = Result.getOrThrow(read("h e\nl o", config))
    assert.deepStrictEqual([tokenizer.begin, tokenizer.end], [259, 258])
    const back = Result.getOrThrow(decodeTokenizer(tokenizer.toBytes(), "tokenizer.json"))
    assert.deepStrictEqual([back.begin, back.end], [259, 258])
    for (const text of ["helo", "a<|go|>b", "</s>"]) {
      assert.deepStrictEqual(back.encode(text), tokenizer.encode(text))
    }
  })

  it("are refused where they are damaged", () => {
    for (const [merges, says] of [
      ["h e\nl\n", /gpt: expected line 2 of merges\.txt .*found "l"/],
      ["h e f\n", /line 1 of merges\.txt/],
      ["x y\n", /model\.merges\[0\]/],
    ] as const) {
      const result = read(merges)
      if (Result.isSuccess(result)) return assert.fail("accepted")
      assert.match(result.failure.message, says)
    }
  })
})

describe.skipIf(!hasData)(`the tokenizer of GPT-2${needsData}`, () => {
  const load = () =>
    Result.getOrThrow(
      decodeVocabularyAndMerges(
        {
          vocabulary: readData("tokenizers/gpt2-vocab.json"),
          merges: readData("tokenizers/gpt2-merges.txt"),
        },
        "gpt2",
      ),
    )
  const tokenizer = hasData ? load() : undefined

  it("gives the published numbers", () => {
    const known: ReadonlyArray<readonly [string, ReadonlyArray<number>]> = [
      ["Hello world", [15496, 995]],
      ["Hello, my dog is cute", [15496, 11, 616, 3290, 318, 13779]],
      ["<|endoftext|>", [50256]],
    ]
    for (const [text, tokens] of known) {
      assert.deepStrictEqual([...(tokenizer?.encode(text) ?? [])], tokens)
    }
    assert.deepStrictEqual([tokenizer?.vocabularySize, tokenizer?.end], [50257, 50256])
  })

  it.prop(
    "gives every text back",
    [Schema.String],
    ([text]) => {
      const tokens = tokenizer?.encode(text) ?? []
      assert.strictEqual(tokenizer?.decode(tokens), text.toWellFormed())
    },
    { arbitrary: { runs: 300 } },
  )

  it("gives emoji, scripts and white space of all kinds back", () => {
    for (const text of ["👩‍👩‍👧‍👦 नमस्ते 你好", "\t\r\n  \u00a0\u2003 x  ", "é e\u0301 ﬁ \u0000"]) {
      assert.strictEqual(tokenizer?.decode(tokenizer.encode(text)), text)
    }
  })
})
