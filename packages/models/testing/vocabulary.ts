import type { ScoredToken } from "../llama2c_tokenizer.ts"

/** A small llama2.c vocabulary: the special tokens, the bytes, and `words` with falling scores. */
export const makeVocabulary = (words: ReadonlyArray<string>): ReadonlyArray<ScoredToken> => {
  const encoder = new TextEncoder()
  const hex = (byte: number) => byte.toString(16).toUpperCase().padStart(2, "0")
  return [
    ...["<unk>", "\n<s>\n", "\n</s>\n"].map((word) => ({ bytes: encoder.encode(word), score: 0 })),
    ...Array.from({ length: 256 }, (_, byte) => ({
      bytes: encoder.encode(`<0x${hex(byte)}>`),
      score: 0,
    })),
    ...words.map((word, i) => ({ bytes: encoder.encode(word), score: -i })),
  ]
}
