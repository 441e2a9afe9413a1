import type { Span } from "./sentences.ts"

/** A word of a text, as it stands there, and where. */
export interface Word extends Span {
  readonly text: string
  readonly lower: string
}

/** The words of a text: letters and digits, with what follows an apostrophe. */
export const wordsOf = (text: string): ReadonlyArray<Word> =>
  Array.from(text.matchAll(/[\p{L}\p{N}]+(?:['’][\p{L}]+)?/gu), ({ 0: word, index }) => ({
    text: word,
    lower: word.toLowerCase(),
    start: index,
    end: index + word.length,
  }))

/** Numbers and words parted by white space, which is how budgets count. */
export const countWords = (text: string): number => text.match(/\S+/g)?.length ?? 0

/** A 32-bit hash of a text (FNV-1a with a last mixing), the same everywhere. */
export const hashText = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97)
  return (hash ^ (hash >>> 15)) >>> 0
}

const functionWords = new Set(
  "a an and are as at be been but by can could did do does for from had has have he her his how i if in into is it its may more no not of on or our out over she should so some such than that the their them then there these they this those to up us was we were what when where which while who why will with would you your".split(
    " ",
  ),
)

/** Whether a word (in lower case) says little by itself. */
export const isFunctionWord = (lower: string): boolean => functionWords.has(lower)
