import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { makeLlama2cTokenizer } from "./llama2c_tokenizer.ts"
import { fileBytes, makeByteLevelFile } from "./testing/tokenizer_json.ts"
import { makeVocabulary } from "./testing/vocabulary.ts"
import {
  checkTokenizer,
  decodeTokenizer,
  encodeDocument,
  encodeTokenizer,
  tokenizerFileName,
} from "./tokenizer.ts"
import { makeWordTokenizer } from "./word_tokenizer.ts"

const bytePairs = Result.getOrThrow(decodeTokenizer(fileBytes(makeByteLevelFile(["a b"])), "t"))

describe("tokenizers", () => {
  it("of every kind come back from their bytes", () => {
    for (const tokenizer of [
      makeWordTokenizer(["a", "b", "."]),
      makeLlama2cTokenizer(makeVocabulary(["a", "b", "ab"])),
      bytePairs,
    ]) {
      const back = Result.getOrThrow(decodeTokenizer(encodeTokenizer(tokenizer), "tokenizer"))
      assert.strictEqual(back.kind, tokenizer.kind)
      assert.strictEqual(back.vocabularySize, tokenizer.vocabularySize)
      assert.deepStrictEqual(back.encode("a b."), tokenizer.encode("a b."))
    }
  })

  it("of 123 bytes per token are not taken for JSON", () => {
    const tokenizer = makeLlama2cTokenizer(makeVocabulary(["x".repeat(0x7b)]))
    assert.strictEqual(Result.getOrThrow(decodeTokenizer(tokenizer.toBytes(), "t")).kind, "llama2c")
  })

  it("of another model are refused with both sizes", () => {
    const tokenizer = makeWordTokenizer(["a", "b"])
    assert.isTrue(Result.isSuccess(checkTokenizer(tokenizer, 5, "words.json")))
    const result = checkTokenizer(tokenizer, 512, "words.json")
    if (Result.isSuccess(result)) return assert.fail("accepted")
    assert.strictEqual(result.failure._tag, "TokenizerMismatch")
    assert.include(result.failure.message, "the tokenizer has 5 tokens, the model 512")
  })

  it("of checkpoints may be smaller than an embedding that was padded", () => {
    const accepts = (size: number) => Result.isSuccess(checkTokenizer(bytePairs, size, "t"))
    assert.strictEqual(bytePairs.vocabularySize, 258)
    assert.deepStrictEqual([257, 258, 320, 50_000].map(accepts), [false, true, true, false])
  })

  it("of every kind have a name for their file", () => {
    assert.strictEqual(tokenizerFileName(bytePairs), "tokenizer.json")
    assert.strictEqual(tokenizerFileName(makeWordTokenizer(["a"])), "tokenizer.json")
    const llama2c = makeLlama2cTokenizer(makeVocabulary(["a"]))
    assert.strictEqual(tokenizerFileName(llama2c), "tokenizer.bin")
  })

  it("put the begin token before a document", () => {
    const tokenizer = makeWordTokenizer(["a", "b"])
    assert.deepStrictEqual([...encodeDocument(tokenizer, "a b")], [1, 3, 4])
    const { begin: _, ...rest } = tokenizer
    assert.deepStrictEqual([...encodeDocument(rest, "a b")], [3, 4])
  })
})
