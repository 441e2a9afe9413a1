import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { EmbeddingModel } from "effect/ai"
import * as fc from "fast-check"
import { hashedEmbeddings } from "./hashed_embeddings.ts"
import { cosineSimilarity, makeHashedTfIdf } from "./hashed_tf_idf.ts"

const texts = [
  "The minister announced a new tax on imported steel.",
  "A tax on steel imports was announced by the minister.",
  "Cats sleep for most of the day and hunt at dusk.",
]

describe("makeHashedTfIdf", () => {
  it("gives vectors of length 1, the same each time, zeros where there is no word", () => {
    const { embed } = makeHashedTfIdf({ dimensions: 64 })
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const vector = embed(text)
        assert.deepStrictEqual(vector, embed(text))
        const length = Math.hypot(...vector)
        // Terms of opposite signs in one cell can cancel out in a very short text.
        assert.isTrue(length === 0 || Math.abs(length - 1) < 1e-12)
      }),
    )
    assert.isTrue(embed("?! …").every((value) => value === 0))
    assert.closeTo(Math.hypot(...embed(texts[0])), 1, 1e-12)
  })

  it("brings texts together that share words, or parts of words, whatever their case", () => {
    const { embed } = makeHashedTfIdf()
    const [first, second, third] = texts.map(embed)
    assert.isAbove(cosineSimilarity(first, second), 0.4)
    assert.isBelow(cosineSimilarity(first, third), 0.2)
    assert.isAbove(cosineSimilarity(embed("prices"), embed("pricing")), 0.2)
    assert.closeTo(cosineSimilarity(embed("STEEL Tax"), embed("steel tax")), 1, 1e-12)
  })

  it("keeps inner products on average: signs make collisions cancel out", () => {
    const random = (seed: number) =>
      Array.from({ length: 30 }, (_, index) => `w${seed}x${index}`).join(" ")
    const { embed } = makeHashedTfIdf({ dimensions: 128, wordOrders: [1], characterOrders: [] })
    const pairs = Array.from({ length: 200 }, (_, index) =>
      cosineSimilarity(embed(random(index)), embed(random(index + 1000))),
    )
    assert.isBelow(Math.abs(pairs.reduce((sum, value) => sum + value, 0) / pairs.length), 0.03)
  })

  it("counts less what stands in most of the fitted texts", () => {
    const common = Array.from({ length: 20 }, (_, index) => `report number ${index}`)
    const plain = makeHashedTfIdf({ dimensions: 4096 })
    const fitted = plain.fit(common)
    const near = (model: typeof plain) =>
      cosineSimilarity(model.embed("report flood"), model.embed("report drought"))
    assert.isBelow(near(fitted), near(plain))
  })

  it("refuses a length that is none", () => {
    assert.throws(() => makeHashedTfIdf({ dimensions: 0 }), /dimensions is 0/)
  })
})

describe("hashedEmbeddings", () => {
  it.effect("are the same vectors behind Effect's interface, fitted ones too", () =>
    Effect.gen(function* () {
      const fitted = makeHashedTfIdf({ dimensions: 32 }).fit(texts)
      const embedded = yield* Effect.gen(function* () {
        const model = yield* EmbeddingModel.EmbeddingModel
        return yield* model.embedMany(texts)
      }).pipe(Effect.provide(hashedEmbeddings(fitted)))
      assert.deepStrictEqual(
        embedded.embeddings.map(({ vector }) => vector),
        texts.map((text) => Array.from(fitted.embed(text))),
      )
    }),
  )
})
