import { assert, describe, it } from "@effect/vitest"
import { longestCommonSubsequence, rouge, rougeTokens, shuffled, uniformNumbers } from "./mod.ts"

/** The table of the textbook. */
const plainSubsequence = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): number => {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0))
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      table[i][j] =
        a[i - 1] === b[j - 1] ? table[i - 1][j - 1] + 1 : Math.max(table[i - 1][j], table[i][j - 1])
    }
  }
  return table[a.length][b.length]
}

const randomTokens = (seed: number, length: number, words: number) => {
  const next = uniformNumbers(seed)
  return Array.from({ length }, () => `w${Math.floor(next() * words)}`)
}

describe("rougeTokens", () => {
  it("keeps lower-case letters and digits and nothing else", () => {
    assert.deepEqual(rougeTokens("The U.S. paid $1,000—don't ask; café_naïve."), [
      "the",
      "u",
      "s",
      "paid",
      "1",
      "000",
      "don",
      "t",
      "ask",
      "caf",
      "na",
      "ve",
    ])
    assert.deepEqual(rougeTokens(" …\n"), [])
  })
})

describe("rouge", () => {
  // Worked by hand from Lin 2004, section 2: "police killed the gunman".
  it("agrees with the examples of the paper", () => {
    const reference = "police killed the gunman"
    const second = rouge(reference, "police kill the gunman")
    const third = rouge(reference, "the gunman kill police")
    assert.strictEqual(second.rougeL.f1, 0.75)
    assert.strictEqual(third.rougeL.f1, 0.5)
    assert.strictEqual(second.rouge1.f1, 0.75)
    assert.closeTo(second.rouge2.f1, 1 / 3, 1e-15)
    assert.closeTo(third.rouge2.f1, 1 / 3, 1e-15)
  })

  // rouge_score's README: RougeScorer.score("The quick brown fox jumps over the lazy dog", "The quick
  // brown dog jumps on the log."), there with stemming, which changes no match here.
  it("agrees with the example of rouge_score", () => {
    const { rouge1, rougeL } = rouge(
      "The quick brown fox jumps over the lazy dog",
      "The quick brown dog jumps on the log.",
    )
    assert.deepEqual(
      [rouge1.precision, rouge1.recall].map((share) => share.toFixed(4)),
      ["0.7500", "0.6667"],
    )
    assert.deepEqual(
      [rougeL.precision, rougeL.recall].map((share) => share.toFixed(4)),
      ["0.6250", "0.5556"],
    )
  })

  it("counts a word as often as both texts have it", () => {
    const { rouge1 } = rouge("a a b", "a a a a")
    assert.deepEqual([rouge1.precision, rouge1.recall], [0.5, 2 / 3])
  })

  it("does not stem", () => {
    assert.strictEqual(rouge("running dogs", "run dog").rouge1.f1, 0)
  })

  it("is 0 of texts without tokens, and of single words in ROUGE-2", () => {
    for (const [a, b] of [
      ["", "word"],
      ["word", ""],
      ["", ""],
      ["…", "…"],
    ]) {
      const { rouge1, rouge2, rougeL } = rouge(a, b)
      assert.deepEqual([rouge1.f1, rouge2.f1, rougeL.f1], [0, 0, 0])
    }
    assert.strictEqual(rouge("word", "word").rouge2.f1, 0)
    assert.strictEqual(rouge("word", "word").rouge1.f1, 1)
  })

  it("is 1 of a text with itself, and symmetric", () => {
    const [a, b] = [randomTokens(1, 50, 12).join(" "), randomTokens(2, 70, 12).join(" ")]
    for (const key of ["rouge1", "rouge2", "rougeL"] as const) {
      assert.strictEqual(rouge(a, a)[key].f1, 1)
      assert.closeTo(rouge(a, b)[key].f1, rouge(b, a)[key].f1, 1e-15)
    }
  })
})

describe("longestCommonSubsequence", () => {
  it("agrees with the plain table on random texts of all lengths", () => {
    for (let seed = 0; seed < 200; seed++) {
      const next = uniformNumbers(seed + 1000)
      const a = randomTokens(seed, Math.floor(next() * 140), 1 + (seed % 9))
      const b = randomTokens(seed + 7, Math.floor(next() * 140), 1 + (seed % 9))
      assert.strictEqual(longestCommonSubsequence(a, b), plainSubsequence(a, b), `seed ${seed}`)
    }
  })

  it("takes texts of thousands of words in a moment", () => {
    const a = randomTokens(1, 20_000, 3000)
    const started = performance.now()
    assert.strictEqual(longestCommonSubsequence(a, a), 20_000)
    assert.isAbove(longestCommonSubsequence(a, shuffled(a, 3)), 0)
    assert.isBelow(performance.now() - started, 5000)
  })
})
