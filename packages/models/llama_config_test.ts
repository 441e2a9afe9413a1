import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { headDimension, keyValueDimension, makeLlamaConfig } from "./llama_config.ts"

const sizes = {
  dimension: 64,
  hiddenDimension: 172,
  layers: 5,
  heads: 8,
  keyValueHeads: 4,
  vocabularySize: 512,
  contextLength: 512,
}

describe("LlamaConfig", () => {
  it("fills in the usual constants and derives the head sizes", () => {
    const config = Result.getOrThrow(makeLlamaConfig(sizes))
    assert.deepStrictEqual(config, {
      ...sizes,
      tiedEmbeddings: true,
      ropeTheta: 10000,
      normEpsilon: 1e-5,
    })
    assert.strictEqual(headDimension(config), 8)
    assert.strictEqual(keyValueDimension(config), 32)
  })

  const refused: ReadonlyArray<
    readonly [string, Partial<typeof sizes> & { ropeTheta?: number }, RegExp]
  > = [
    [
      "heads that do not divide the dimension",
      { heads: 7 },
      /heads must be a divisor of dimension 64, found 7/,
    ],
    [
      "key-value heads that do not divide the heads",
      { keyValueHeads: 3 },
      /keyValueHeads must be a divisor of heads 8, found 3/,
    ],
    ["an odd head width", { dimension: 24, heads: 8 }, /width 3 cannot carry rotary/],
    ["a zero size", { layers: 0 }, /layers/],
    ["a fractional size", { vocabularySize: 1.5 }, /vocabularySize/],
    ["a negative rotary base", { ropeTheta: -1 }, /ropeTheta/],
  ]
  for (const [what, change, message] of refused) {
    it(`refuses ${what}`, () => {
      const result = makeLlamaConfig({ ...sizes, ...change })
      if (Result.isSuccess(result)) return assert.fail("accepted")
      assert.strictEqual(result.failure._tag, "InvalidModelConfig")
      assert.match(result.failure.message, message)
    })
  }
})
