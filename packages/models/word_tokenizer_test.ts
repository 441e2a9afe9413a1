import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import {
  decodeWordTokenizer,
  joinWords,
  makeWordTokenizer,
  makeWordTokenizerFor,
  splitWords,
} from "./word_tokenizer.ts"

const words = ["Lily", "Lily's", "ran", "well-known", ".", ",", "!"]

describe("word tokenizers", () => {
  it("take words and punctuation apart and join them again", () => {
    assert.deepStrictEqual(splitWords("Lily's  dog\nran, well-known!"), [
      "Lily's",
      "dog",
      "ran",
      ",",
      "well-known",
      "!",
    ])
    assert.strictEqual(joinWords(["Lily", "ran", ",", "ran", "."]), "Lily ran, ran.")
    assert.deepStrictEqual(splitWords(""), [])
  })

  it.prop(
    "give known words back, whole and in pieces",
    { chosen: Arbitrary.array(Arbitrary.schema(Schema.Literals(words)), { maxLength: 20 }) },
    ({ chosen }) => {
      const tokenizer = makeWordTokenizer(words)
      const text = joinWords(chosen)
      const tokens = tokenizer.encode(text)
      assert.deepStrictEqual(
        [...tokens],
        chosen.map((word) => 3 + words.indexOf(word)),
      )
      assert.strictEqual(tokenizer.decode(tokens), text)
      assert.strictEqual(tokenizer.decode([1, ...tokens, 2]), text)
    },
  )

  it("give unknown words token 0", () => {
    const tokenizer = makeWordTokenizer(words)
    assert.deepStrictEqual([...tokenizer.encode("Tom ran.")], [0, 5, 7])
    assert.strictEqual(tokenizer.decode([0, 5, 7]), "<unk> ran.")
    assert.throws(() => tokenizer.decode([99]), RangeError)
  })

  it("are made for a corpus, the frequent words first", () => {
    const tokenizer = makeWordTokenizerFor(["b a b.", "b c."])
    assert.strictEqual(tokenizer.decode([3, 4, 5, 6]), "b. a c")
    assert.strictEqual(
      makeWordTokenizerFor(["b a b.", "b c."], { maximumSize: 4 }).vocabularySize,
      4,
    )
  })

  it("are written and read", () => {
    const tokenizer = makeWordTokenizer(words)
    const back = Result.getOrThrow(decodeWordTokenizer(tokenizer.toBytes(), "words.json"))
    assert.deepStrictEqual(back.encode("Lily's ran!"), tokenizer.encode("Lily's ran!"))
    assert.deepStrictEqual(back.toBytes(), tokenizer.toBytes())
  })

  it("refuse damaged files", () => {
    const bytes = makeWordTokenizer(words).toBytes()
    for (const damaged of [
      bytes.subarray(0, 20),
      Uint8Array.of(0x7b, 0xff, 0xff, 0xff),
      new TextEncoder().encode(`{"words":[]}`),
      new TextEncoder().encode(`{"format":"espalier-words","version":1,"words":["a","a"]}`),
    ]) {
      const result = decodeWordTokenizer(damaged, "words.json")
      if (Result.isSuccess(result)) return assert.fail("accepted")
      assert.strictEqual(result.failure._tag, "TokenizerFormatError")
      assert.match(result.failure.message, /^words\.json: expected JSON/)
    }
  })
})
