import { assert, describe, it } from "@effect/vitest"
import { Tokenizer as Reference } from "@huggingface/tokenizers"
import { hasData, needsData, readData } from "@espalier/testing"
import { Result, Schema } from "effect"
import type { TokenizerFile } from "../testing/tokenizer_json.ts"
import {
  fileBytes,
  llamaParts,
  makeByteLevelFile,
  makeStoriesTokenizerFile,
} from "../testing/tokenizer_json.ts"
import { readStoriesTokenizer } from "../testing/stories.ts"
import type { Tokenizer } from "../tokenizer_interface.ts"
import { decodeTokenizerJson } from "./tokenizer_json.ts"

const read = (file: TokenizerFile, config?: unknown): Tokenizer =>
  Result.getOrThrow(
    decodeTokenizerJson(fileBytes(file), "tokenizer.json", {
      config: config === undefined ? undefined : fileBytes(config),
    }),
  )

const refusal = (bytes: Uint8Array): string => {
  const result = decodeTokenizerJson(bytes, "tokenizer.json")
  if (Result.isSuccess(result)) return assert.fail("accepted")
  assert.strictEqual(result.failure._tag, "TokenizerFormatError")
  assert.isNotEmpty(result.failure.hint)
  return result.failure.message
}

const referenceIds = (file: TokenizerFile, text: string): ReadonlyArray<number> =>
  new Reference(file, {}).encode(text, { add_special_tokens: false }).ids

const merges = ["h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or", "Ġ Ġ", "Ã ©"]
const byteLevel = makeByteLevelFile(merges)
const token = (content: string) =>
  (byteLevel.model.vocab as Readonly<Record<string, number>>)[content]

describe("a byte-level tokenizer.json", () => {
  it("merges within words, the merge learnt first first", () => {
    const tokenizer = read(byteLevel)
    assert.deepStrictEqual([...tokenizer.encode("hello wor")], [token("hello"), token("Ġwor")])
    assert.deepStrictEqual(
      [...tokenizer.encode("é  x")],
      [token("Ã©"), token("Ġ"), token("Ġ"), token("x")],
    )
    assert.strictEqual(tokenizer.encode("").length, 0)
    assert.strictEqual(tokenizer.vocabularySize, 256 + merges.length + 1)
  })

  it("finds special tokens in the text, and tells the end by its name", () => {
    const tokenizer = read(byteLevel)
    const end = 256 + merges.length
    assert.deepStrictEqual(
      [...tokenizer.encode("he<|endoftext|>he")],
      [token("he"), end, token("he")],
    )
    assert.deepStrictEqual([tokenizer.begin, tokenizer.end], [undefined, end])
    assert.strictEqual(tokenizer.decode([end, token("he"), end]), "he")
  })

  it.prop(
    "gives every text back, whole and in pieces",
    [Schema.String],
    ([text]) => {
      const tokenizer = read(byteLevel)
      const wellFormed = text.toWellFormed()
      const tokens = tokenizer.encode(text)
      assert.strictEqual(tokenizer.decode(tokens), wellFormed)
      const decoder = tokenizer.decoder()
      const pieces = Array.from(tokens, (each) => decoder.push(each))
      assert.strictEqual(pieces.join("") + decoder.flush(), wellFormed)
    },
    { arbitrary: { runs: 100 } },
  )

  it.prop(
    "agrees with an independent implementation",
    [
      Schema.Array(
        Schema.Literals(["he", "llo", " ", "  ", "\n", "é", "1", "'s", ",", "𝄞", "\u00a0"]),
      ),
    ],
    ([parts]) => {
      const text = parts.join("")
      assert.deepStrictEqual([...read(byteLevel).encode(text)], referenceIds(byteLevel, text))
    },
    { arbitrary: { runs: 100 } },
  )

  it("cuts as LLaMA 3 and Qwen 2 do, with letter case that does not count", () => {
    const pattern = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
    const file = makeByteLevelFile(["1 2", "12 3", "' S", "4 5"], {
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [
          { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false },
          { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
        ],
      },
    })
    const tokenizer = read(file)
    const spelled = (text: string) =>
      Array.from(tokenizer.encode(text), (each) => tokenizer.decode([each]))
    assert.deepStrictEqual(spelled("12345"), ["123", "45"])
    assert.deepStrictEqual(spelled("X'S"), ["X", "'S"])
    for (const text of [
      "It'S 12345 o'clock,\r\n\n  isn't it?!\n",
      "a\u0085b \ufeff c",
      "١٢٣٤ Ⅷ ½",
    ]) {
      assert.deepStrictEqual([...tokenizer.encode(text)], referenceIds(file, text))
      assert.strictEqual(tokenizer.decode(tokenizer.encode(text)), text)
    }
  })

  it("takes a piece that is a token whole where merges are ignored", () => {
    const model = { ...byteLevel.model, vocab: { ...byteLevel.model.vocab, xyz: 300 } }
    const [ignoring, merging] = [true, false].map((ignore_merges) =>
      read({ ...byteLevel, model: { ...model, ignore_merges } }),
    )
    assert.deepStrictEqual([...ignoring.encode("xyz")], [300])
    assert.strictEqual(merging.encode("xyz").length, 3)
  })

  it("finds the longest added token, and the white space that belongs to it", () => {
    const added = (id: number, content: string, more = {}) => ({
      id,
      content,
      special: true,
      ...more,
    })
    const tokenizer = read({
      ...byteLevel,
      added_tokens: [
        added(400, "<a>"),
        added(401, "<a><b>"),
        added(402, "<left>", { lstrip: true }),
        added(403, "<right>", { rstrip: true }),
        added(404, "word", { single_word: true }),
      ],
    })
    const ids = (text: string) => [...tokenizer.encode(text)]
    assert.deepStrictEqual(ids("<a><b><a>"), [401, 400])
    assert.deepStrictEqual(ids("h <left> h"), [token("h"), 402, token("Ġ"), token("h")])
    assert.deepStrictEqual(ids("h<right>  h"), [token("h"), 403, token("h")])
    assert.deepStrictEqual(ids("<right>  <left>"), [403, 402])
    assert.notInclude(ids("swords"), 404)
    assert.include(ids("a word."), 404)
  })

  it("decodes numbers past its vocabulary as nothing: embeddings are padded", () => {
    const tokenizer = read(byteLevel)
    assert.strictEqual(tokenizer.decode([token("he"), 5000, token("he")]), "hehe")
    assert.throws(() => tokenizer.decode([-1]), RangeError)
  })
})

const llamaVocabulary = (words: ReadonlyArray<string>) => {
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  )
  const contents = ["<unk>", "<s>", "</s>", ...bytes, ...words]
  return Object.fromEntries(contents.map((content, id) => [content, id]))
}
const llamaWords = ["▁", "a", "b", "▁a", "ab", "▁ab"]
const llamaModel = {
  type: "BPE",
  unk_token: "<unk>",
  fuse_unk: true,
  byte_fallback: true,
  vocab: llamaVocabulary(llamaWords),
  merges: ["▁ a", "a b", "▁a b"],
}
const llama: TokenizerFile = { ...llamaParts, model: llamaModel }
const llamaToken = (word: string) => 259 + llamaWords.indexOf(word)

describe("a tokenizer.json as of LLaMA", () => {
  it("encodes with a space before the text, and bytes for unknown characters", () => {
    const tokenizer = read(llama)
    assert.deepStrictEqual([tokenizer.begin, tokenizer.end], [1, 2])
    assert.deepStrictEqual([...tokenizer.encode("ab a")], [llamaToken("▁ab"), llamaToken("▁a")])
    assert.deepStrictEqual([...tokenizer.encode("é")], [llamaToken("▁"), 3 + 0xc3, 3 + 0xa9])
    assert.strictEqual(tokenizer.decode([1, ...tokenizer.encode("ab a"), 2]), "ab a")
  })

  it.prop(
    "gives every text back, whole and in pieces",
    [Schema.String],
    ([text]) => {
      const tokenizer = read(llama)
      // The visible space is a space to this kind of tokenizer.
      const expected = text.toWellFormed().replaceAll("▁", " ")
      const tokens = tokenizer.encode(text)
      assert.strictEqual(tokenizer.decode(tokens), expected)
      const decoder = tokenizer.decoder()
      const pieces = [1, ...tokens].map((each) => decoder.push(each))
      assert.strictEqual(pieces.join("") + decoder.flush(), expected)
    },
    { arbitrary: { runs: 100 } },
  )

  it("says the same through Metaspace", () => {
    for (const prepend_scheme of ["always", "first", "never"]) {
      const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme, split: false }
      const file = { ...llama, normalizer: null, pre_tokenizer: metaspace, decoder: metaspace }
      const tokenizer = read(file)
      for (const text of ["ab a", " ab  b", "ab</s>ab </s> a"]) {
        assert.deepStrictEqual([...tokenizer.encode(text)], referenceIds(file, text))
      }
      assert.strictEqual(tokenizer.decode(tokenizer.encode("ab a")), "ab a")
      const split = read({ ...file, pre_tokenizer: { ...metaspace, split: true } })
      assert.deepStrictEqual(split.encode(" ab  b ab"), tokenizer.encode(" ab  b ab"))
    }
  })

  it("merges across spaces where a merge does", () => {
    const vocab = llamaVocabulary([...llamaWords, "b▁", "b▁a"])
    const file = { ...llama, model: { ...llamaModel, vocab, merges: ["b ▁", "b▁ a"] } }
    assert.deepStrictEqual([...read(file).encode("b a")], referenceIds(file, "b a"))
    assert.include([...read(file).encode("b a")], 266)
  })

  it("marks unknown characters once in a row without bytes to fall back on", () => {
    const file = { ...llama, model: { ...llamaModel, byte_fallback: false } }
    assert.deepStrictEqual([...read(file).encode("aéüb")], [llamaToken("▁a"), 0, llamaToken("b")])
  })

  it("follows tokenizer_config.json about begin and end, and keeps that in its file", () => {
    const without = read(llama, { add_bos_token: false, eos_token: { content: "<unk>" } })
    assert.deepStrictEqual([without.begin, without.end], [undefined, 0])
    assert.isUndefined(read(JSON.parse(new TextDecoder().decode(without.toBytes()))).begin)
    const config = without.toConfigBytes?.()
    const again = Result.getOrThrow(decodeTokenizerJson(without.toBytes(), "t", { config }))
    assert.deepStrictEqual([again.begin, again.end], [undefined, 0])
    assert.isUndefined(read(llama).toConfigBytes)
    const plain = { ...llama, post_processor: null }
    assert.isUndefined(read(plain).begin)
    const added = read(plain, { add_bos_token: true, bos_token: "<s>" })
    assert.strictEqual(added.begin, 1)
    assert.strictEqual(read(JSON.parse(new TextDecoder().decode(added.toBytes()))).begin, 1)
  })

  it("comes back byte for byte from its own bytes", () => {
    const bytes = fileBytes(llama)
    const tokenizer = Result.getOrThrow(decodeTokenizerJson(bytes, "t"))
    assert.deepStrictEqual(tokenizer.toBytes(), bytes)
  })
})

describe("a tokenizer.json that is refused", () => {
  it("is damaged, or another file", () => {
    const whole = fileBytes(byteLevel)
    for (let end = 0; end < whole.length; end += 97) {
      assert.match(refusal(whole.subarray(0, end)), /^tokenizer\.json: expected a tokenizer\.json/)
    }
    assert.match(refusal(Uint8Array.of(0x7b, 0xff)), /not UTF-8/)
    assert.match(refusal(fileBytes([1])), /to be an object, found \[1\]/)
    assert.match(refusal(fileBytes({ a: 0, b: 1 })), /merges\.txt/)
    assert.match(refusal(fileBytes({ weights: [] })), /found the keys "weights"/)
  })

  const change = (part: object) => fileBytes({ ...byteLevel, ...part })
  const changeModel = (part: object) => change({ model: { ...byteLevel.model, ...part } })
  const cases: ReadonlyArray<readonly [string, Uint8Array, RegExp]> = [
    [
      "another model",
      changeModel({ type: "Unigram" }),
      /tokenizer model \(BPE\), found model\.type "Unigram"/,
    ],
    [
      "a word suffix",
      changeModel({ end_of_word_suffix: "</w>" }),
      /model\.end_of_word_suffix "<\/w>"/,
    ],
    ["dropout", changeModel({ dropout: 0.1 }), /model\.dropout 0\.1/],
    [
      "a token number that is none",
      changeModel({ vocab: { a: 1.5 } }),
      /model\.vocab\["a"\] to be a token number, found 1\.5/,
    ],
    [
      "no vocabulary",
      changeModel({ vocab: undefined }),
      /model\.vocab to be an object, found undefined/,
    ],
    [
      "a merge of one",
      changeModel({ merges: ["ab"] }),
      /model\.merges\[0\] to be a pair of tokens, found "ab"/,
    ],
    [
      "a merge without its token",
      changeModel({ merges: ["a b"] }),
      /model\.merges\[0\].*"a" and "b"/,
    ],
    [
      "another normaliser",
      change({ normalizer: { type: "Precompiled" } }),
      /normalizer .*found normalizer\.type "Precompiled"/,
    ],
    [
      "another pre-tokeniser inside a sequence",
      change({ pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Punctuation" }] } }),
      /pre-tokenizer .*found pre_tokenizer\.pretokenizers\[0\]\.type "Punctuation"/,
    ],
    [
      "a pattern that cannot be read",
      change({
        pre_tokenizer: { type: "Split", pattern: { Regex: "\\p{L}++" }, behavior: "Isolated" },
      }),
      /regular expression .*found .* in "\\\\p\{L\}\+\+"/,
    ],
    [
      "another behaviour of a split",
      change({ pre_tokenizer: { type: "Split", pattern: { String: " " }, behavior: "Kept" } }),
      /behavior of a Split .*"Kept"/,
    ],
    [
      "another decoder",
      change({ decoder: { type: "WordPiece" } }),
      /decoder .*found decoder\.type "WordPiece"/,
    ],
    [
      "another post-processor",
      change({ post_processor: { type: "BertProcessing" } }),
      /post-processor .*"BertProcessing"/,
    ],
    [
      "an added token without a number",
      change({ added_tokens: [{ content: "x" }] }),
      /added_tokens\[0\]\.id/,
    ],
  ]
  for (const [name, bytes, says] of cases) {
    it(`has ${name}`, () => assert.match(refusal(bytes), says))
  }
})

describe.skipIf(!hasData)(`real tokenizers${needsData}`, () => {
  const path = "tokenizers/gpt-neox-20B_tokenizer.json"
  const corpora = ["text/wiki.test.raw", "text/tinyshakespeare.txt"]
  const readText = (name: string) => new TextDecoder().decode(readData(name))

  it("of GPT-NeoX gives the published numbers", () => {
    const tokenizer = Result.getOrThrow(decodeTokenizerJson(readData(path), path))
    assert.deepStrictEqual([...tokenizer.encode("Hello world")], [12092, 1533])
    assert.deepStrictEqual([tokenizer.vocabularySize, tokenizer.end], [50277, 0])
    // 24 spaces are a token of their own, which is no special one.
    assert.deepStrictEqual([...tokenizer.encode(" ".repeat(24))], [50254])
  })

  it("of GPT-NeoX agrees with the independent implementation, and gives texts back", () => {
    const tokenizer = Result.getOrThrow(decodeTokenizerJson(readData(path), path))
    const file: TokenizerFile = JSON.parse(new TextDecoder().decode(readData(path)))
    for (const name of corpora) {
      const text = readText(name).slice(0, 300_000)
      const tokens = tokenizer.encode(text)
      assert.deepStrictEqual([...tokens], referenceIds(file, text))
      assert.strictEqual(tokenizer.decode(tokens), text.normalize("NFC"))
    }
  })

  it("encodes a megabyte in about a second", () => {
    const tokenizer = Result.getOrThrow(decodeTokenizerJson(readData(path), path))
    const text = readText("text/wiki.test.raw")
    const start = performance.now()
    tokenizer.encode(text)
    // A quarter of a second on a quiet core; the bound is for a busy one.
    assert.isBelow(performance.now() - start, 5000)
  })

  it("of stories260K as a tokenizer.json says what its own file says", () => {
    const converted = read(makeStoriesTokenizerFile())
    const original = readStoriesTokenizer()
    assert.strictEqual(converted.vocabularySize, original.vocabularySize)
    assert.deepStrictEqual([converted.begin, converted.end], [original.begin, original.end])
    for (const name of ["text/tinystories_sample.txt", ...corpora]) {
      const text = readText(name).slice(0, 300_000)
      const tokens = converted.encode(text)
      assert.deepStrictEqual(tokens, original.encode(text))
      assert.strictEqual(converted.decode(tokens), original.decode(tokens))
    }
  })
})
