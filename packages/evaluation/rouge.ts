/** Overlap of a text with a reference: what share of each is in the other, and their harmonic mean. */
export interface RougeScore {
  readonly precision: number
  readonly recall: number
  readonly f1: number
}

/** The three scores that papers report. */
export interface RougeScores {
  readonly rouge1: RougeScore
  readonly rouge2: RougeScore
  readonly rougeL: RougeScore
}

/**
 * The tokens that ROUGE counts: lower case, everything but `a–z` and `0–9` parts words. No stemming,
 * no stop words. That is the tokenizer of Google's `rouge_score` with `use_stemmer=False`.
 *
 * @example
 * ```ts
 * import { rougeTokens } from "@espalier/evaluation"
 * console.log(rougeTokens("It's 5 %!")) // [ "it", "s", "5" ]
 * ```
 */
export const rougeTokens = (text: string): ReadonlyArray<string> =>
  text.toLowerCase().match(/[a-z0-9]+/g) ?? []

const scoreOf = (shared: number, inPrediction: number, inReference: number): RougeScore => {
  const precision = shared / Math.max(1, inPrediction)
  const recall = shared / Math.max(1, inReference)
  return {
    precision,
    recall,
    f1: shared === 0 ? 0 : (2 * precision * recall) / (precision + recall),
  }
}

const countNgrams = (tokens: ReadonlyArray<string>, n: number): Map<string, number> => {
  const counts = new Map<string, number>()
  for (let i = 0; i + n <= tokens.length; i++) {
    const gram = n === 1 ? tokens[i] : tokens.slice(i, i + n).join(" ")
    counts.set(gram, (counts.get(gram) ?? 0) + 1)
  }
  return counts
}

/** ROUGE-N of tokens: n-grams in common, each as often as it is in both (Lin 2004, section 2). */
export const rougeN = (
  reference: ReadonlyArray<string>,
  prediction: ReadonlyArray<string>,
  n: number,
): RougeScore => {
  const wanted = countNgrams(reference, n)
  let shared = 0
  for (const [gram, count] of countNgrams(prediction, n)) {
    shared += Math.min(count, wanted.get(gram) ?? 0)
  }
  return scoreOf(
    shared,
    Math.max(0, prediction.length - n + 1),
    Math.max(0, reference.length - n + 1),
  )
}

/**
 * The length of the longest common subsequence, 32 rows of the table at a time: bit i of the state
 * is 0 where row i is one more than the row before it (Hyyrö 2004).
 */
export const longestCommonSubsequence = (
  a: ReadonlyArray<string>,
  b: ReadonlyArray<string>,
): number => {
  const words = Math.ceil(a.length / 32)
  const masks = new Map<string, Uint32Array>()
  for (const [i, token] of a.entries()) {
    let mask = masks.get(token)
    if (mask === undefined) masks.set(token, (mask = new Uint32Array(words)))
    mask[i >>> 5] |= 1 << (i & 31)
  }
  const state = new Uint32Array(words).fill(0xffffffff)
  for (const token of b) {
    const mask = masks.get(token)
    if (mask === undefined) continue
    let carry = 0
    for (let w = 0; w < words; w++) {
      const kept = (state[w] & mask[w]) >>> 0
      const sum = state[w] + kept + carry
      carry = sum > 0xffffffff ? 1 : 0
      state[w] = sum | (state[w] - kept)
    }
  }
  let length = 0
  for (let i = 0; i < a.length; i++) length += 1 - ((state[i >>> 5] >>> (i & 31)) & 1)
  return length
}

/** ROUGE-L of tokens: their longest common subsequence, the text taken as one sentence. */
export const rougeL = (
  reference: ReadonlyArray<string>,
  prediction: ReadonlyArray<string>,
): RougeScore =>
  scoreOf(longestCommonSubsequence(reference, prediction), prediction.length, reference.length)

/**
 * ROUGE-1, ROUGE-2 and ROUGE-L (`rougeL`, not `rougeLsum`) of a prediction against one reference, as
 * Google's `rouge_score` computes them without stemming. A text without tokens scores 0.
 *
 * Source: C.-Y. Lin, *ROUGE: a package for automatic evaluation of summaries*, 2004.
 *
 * @example
 * ```ts
 * import { rouge } from "@espalier/evaluation"
 * const { rouge1, rouge2, rougeL } = rouge("the cat sat on the mat", "the cat on the mat sat")
 * console.log(rouge1.f1, rouge2.f1, rougeL.f1) // 1, 0.6 and 0.83…
 * ```
 */
export const rouge = (reference: string, prediction: string): RougeScores => {
  const wanted = rougeTokens(reference)
  const given = rougeTokens(prediction)
  return {
    rouge1: rougeN(wanted, given, 1),
    rouge2: rougeN(wanted, given, 2),
    rougeL: rougeL(wanted, given),
  }
}
