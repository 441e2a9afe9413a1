import { assert, describe, it } from "@effect/vitest"
import { hasData, needsData, readData, readDocuments } from "@espalier/testing"
import { Result, Schema } from "effect"
import { decodeLlama2cTokenizer, makeLlama2cTokenizer } from "./llama2c_tokenizer.ts"
import { makeVocabulary } from "./testing/vocabulary.ts"
import { encodeDocument } from "./tokenizer.ts"

const tokenizer = makeLlama2cTokenizer(
  makeVocabulary(["he", "hel", " h", "lo", "llo", " ", "h", "e", "l", "o", "é", "😀"]),
)
const number = (word: string) =>
  259 + ["he", "hel", " h", "lo", "llo", " ", "h", "e", "l", "o", "é", "😀"].indexOf(word)

describe("the llama2.c tokenizer", () => {
  it("merges the best-scoring pair first, after a space", () => {
    // " hello": "he" (score 0), then "hel" (-1), then "lo" (-3); " h" (-2) has lost its h by then.
    assert.deepStrictEqual(
      [...tokenizer.encode("hello")],
      [number(" "), number("hel"), number("lo")],
    )
    assert.strictEqual(tokenizer.encode("").length, 0)
  })

  it("spells unknown characters in bytes", () => {
    assert.deepStrictEqual([...tokenizer.encode("zé")], [number(" "), 3 + 0x7a, number("é")])
    assert.deepStrictEqual([...tokenizer.encode("ü")], [number(" "), 3 + 0xc3, 3 + 0xbc])
  })

  it.prop(
    "gives every text back, whole and in pieces",
    [Schema.String],
    ([text]) => {
      const wellFormed = text.toWellFormed()
      const tokens = tokenizer.encode(text)
      assert.strictEqual(tokenizer.decode(tokens), wellFormed)
      const decoder = tokenizer.decoder()
      const pieces = [1, ...tokens].map((token) => decoder.push(token))
      assert.strictEqual(pieces.join("") + decoder.flush(), wellFormed)
    },
    { arbitrary: { runs: 300 } },
  )

  it("holds an incomplete character back", () => {
    const decoder = tokenizer.decoder()
    const pieces = [0xf0, 0x9f, 0x98, 0x81].map((byte) => decoder.push(byte + 3))
    assert.deepStrictEqual(pieces, ["", "", "", "😁"])
    decoder.push(0xf0 + 3)
    assert.strictEqual(decoder.flush(), "\ufffd")
  })

  it("strips one space after begin, and shows neither begin nor end", () => {
    const [space, h] = [number(" "), number("h")]
    assert.strictEqual(tokenizer.decode([1, space, h, space, h, 2]), "h h")
    assert.strictEqual(tokenizer.decode([1, space, space, h]), " h")
  })

  it("refuses tokens outside the vocabulary", () => {
    assert.throws(() => tokenizer.decode([tokenizer.vocabularySize]), RangeError)
    assert.throws(() => tokenizer.decode([-1]), RangeError)
  })

  it("writes the file that it reads", () => {
    const bytes = tokenizer.toBytes()
    const back = Result.getOrThrow(decodeLlama2cTokenizer(bytes, "t.bin"))
    assert.deepStrictEqual(back.toBytes(), bytes)
    assert.deepStrictEqual(back.encode("hello zé"), tokenizer.encode("hello zé"))
  })

  it("refuses truncated and foreign files", () => {
    const bytes = tokenizer.toBytes()
    for (const length of [0, 3, 4, 10, 500, bytes.length - 1, bytes.length - 5]) {
      const result = decodeLlama2cTokenizer(bytes.subarray(0, length), "t.bin")
      if (Result.isSuccess(result)) return assert.fail(`accepted ${length} bytes`)
      assert.strictEqual(result.failure._tag, "TokenizerFormatError")
      assert.include(result.failure.hint, "truncated")
    }
    const text = decodeLlama2cTokenizer(
      new TextEncoder().encode("plain text, nothing more"),
      "t.bin",
    )
    assert.isTrue(Result.isFailure(text) && text.failure.hint.includes("another kind"))
  })

  describe.skipIf(!hasData)(`on real text${needsData}`, () => {
    const real = () =>
      Result.getOrThrow(
        decodeLlama2cTokenizer(readData("language-models/tok512.bin"), "tok512.bin"),
      )

    it("encodes as llama2.c does", () => {
      assert.deepStrictEqual(
        [...encodeDocument(real(), "Once upon a time")],
        [1, 403, 407, 261, 378],
      )
    })

    it("makes the tokens of the golden training run, and the 48,472 of the published loss", () => {
      const golden: { readonly tokens: ReadonlyArray<ReadonlyArray<number>> } = JSON.parse(
        new TextDecoder().decode(readData("golden/stories260K_training.json")),
      )
      const expected = golden.tokens.flat()
      const documents = readDocuments("text/tinystories_eval_norm.jsonl")
      const tokenizer = real()
      const encoded = documents.map((text) => encodeDocument(tokenizer, text))
      const stream = encoded.flatMap((tokens) => [...tokens])
      assert.strictEqual(documents.length, 122)
      assert.deepStrictEqual(stream.slice(0, expected.length), expected)
      assert.strictEqual(stream.length, 59_138)
      // 1.428 nats per token was measured document by document, each cut to the context of 512 tokens
      // with its begin token, which nothing predicts: at most 511 predictions each.
      const predicted = encoded.reduce((sum, tokens) => sum + Math.min(tokens.length, 512) - 1, 0)
      assert.strictEqual(predicted, 48_472)
    })

    it("gives every document back, and the file", () => {
      const tokenizer = real()
      for (const text of readDocuments("text/tinystories_eval_norm.jsonl")) {
        assert.strictEqual(tokenizer.decode(tokenizer.encode(text)), text)
      }
      assert.isTrue(Buffer.from(tokenizer.toBytes()).equals(readData("language-models/tok512.bin")))
    })
  })
})
