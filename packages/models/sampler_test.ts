import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { makeSampler } from "./sampler.ts"

const Logits = Schema.Array(
  Schema.Int.check(Schema.isBetween({ minimum: -40, maximum: 40 })),
).check(Schema.isMinLength(1), Schema.isMaxLength(12))
const Percent = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 }))

const softmax = (logits: ReadonlyArray<number>, temperature: number) => {
  const largest = Math.max(...logits)
  const weights = logits.map((logit) => Math.exp((logit - largest) / temperature))
  const total = weights.reduce((sum, weight) => sum + weight)
  return weights.map((weight) => weight / total)
}

describe("makeSampler", () => {
  it("takes the most likely token by default, the first of equals", () => {
    const greedy = makeSampler()
    assert.strictEqual(greedy([0, 3, 1]), 1)
    assert.strictEqual(greedy([2, 5, 5]), 1)
    assert.strictEqual(greedy([-7]), 0)
  })

  it.prop(
    "top-p draws from the smallest set of likeliest tokens that reaches p, and from all of it",
    { logits: Logits, percent: Percent, seed: Schema.Natural },
    ({ logits, percent, seed }) => {
      const scaled = logits.map((logit) => logit / 10)
      const topP = percent / 100
      const probabilities = softmax(scaled, 0.7)
      const order = probabilities.map((_, i) => i).sort((a, b) => logits[b] - logits[a] || a - b)
      // Rounding may decide at the edge, where the sum is p itself.
      let size = 0
      for (let mass = 0; size < order.length && mass < topP - 1e-9; size++) {
        mass += probabilities[order[size]]
      }
      const sum = (count: number) =>
        order.slice(0, count).reduce((total, token) => total + probabilities[token], 0)
      const largest = Math.abs(sum(size) - topP) < 1e-9 ? size + 1 : size
      const sample = makeSampler({ temperature: 0.7, topP, seed })
      const drawn = new Set(Array.from({ length: 200 }, () => sample(scaled)))
      for (const token of drawn) assert.include(order.slice(0, largest), token)
      // A token of the set that is drawn with probability ≥ 1/5 is missed once in 10¹⁹.
      for (const token of order.slice(0, size)) {
        if (probabilities[token] >= 0.2) assert.isTrue(drawn.has(token))
      }
    },
    { arbitrary: { runs: 100 } },
  )

  it("draws tokens as often as their probabilities say", () => {
    const logits = [1, 0, -1, 2]
    for (const temperature of [0.5, 1, 2]) {
      const sample = makeSampler({ temperature, seed: 3 })
      const counts = logits.map(() => 0)
      const draws = 20_000
      for (let i = 0; i < draws; i++) counts[sample(logits)]++
      for (const [token, p] of softmax(logits, temperature).entries()) {
        // Five standard errors.
        const error = 5 * Math.sqrt((p * (1 - p)) / draws)
        assert.closeTo(counts[token] / draws, p, error)
      }
    }
  })

  it("gives the same tokens for the same seed only", () => {
    const logits = [0, 0.1, 0.2, 0.3]
    const draw = (seed: number) => {
      const sample = makeSampler({ temperature: 1, seed })
      return Array.from({ length: 50 }, () => sample(logits))
    }
    assert.deepStrictEqual(draw(1), draw(1))
    assert.notDeepEqual(draw(1), draw(2))
  })
})
