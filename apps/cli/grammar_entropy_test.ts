import { assert, describe, it } from "@effect/vitest"
import { grammarEntropy, makeReader } from "./grammar_entropy.ts"
import type { Grammar, State } from "./probabilistic_grammar.ts"
import { branch, choose, continuations, makeGrammar, recall } from "./probabilistic_grammar.ts"

const names = ["Tom", "Mia", "Ben"]

const grammar = makeGrammar(
  [
    choose(names, { slot: "first" }),
    "met",
    choose(names, { slot: "second", except: "first" }),
    branch([0.25, ["and ran", recall("first")]], [0.75, [recall("second")]]),
    ".",
  ],
  "<s>",
)

/** Every text of a small grammar with its probability. */
const texts = (
  of: Grammar,
  state: State = { node: of.start, slots: {} },
): ReadonlyArray<{ readonly words: ReadonlyArray<string>; readonly probability: number }> =>
  continuations(of, state).flatMap(({ word, probability, next }) =>
    next === undefined
      ? [{ words: [word], probability }]
      : texts(of, next).map((rest) => ({
          words: [word, ...rest.words],
          probability: probability * rest.probability,
        })),
  )

describe("the entropy of a grammar", () => {
  it("is what listing every text gives", () => {
    const all = texts(grammar)
    assert.strictEqual(all.length, 12)
    assert.strictEqual(new Set(all.map(({ words }) => words.join(" "))).size, 12)
    const sum = (f: (text: (typeof all)[number]) => number) =>
      all.reduce((total, text) => total + text.probability * f(text), 0)
    assert.closeTo(
      sum(() => 1),
      1,
      1e-12,
    )
    const entropy = grammarEntropy(grammar)
    assert.closeTo(
      entropy.natsPerText,
      sum(({ probability }) => -Math.log(probability)),
      1e-12,
    )
    assert.closeTo(
      entropy.tokensPerText,
      sum(({ words }) => words.length),
      1e-12,
    )
    assert.closeTo(entropy.natsPerToken, entropy.natsPerText / entropy.tokensPerText, 1e-12)
    assert.closeTo(entropy.perplexity, Math.exp(entropy.natsPerToken), 1e-12)
  })
})

describe("an optimal reader", () => {
  it("from the start gives each text its probability", () => {
    for (const { words, probability } of texts(grammar)) {
      const reader = makeReader(grammar, "start")
      const product = words.reduce((total, word) => total * reader.read(word), 1)
      assert.closeTo(product, probability, 1e-12)
    }
  })

  it("from anywhere agrees with counting in the endless stream", () => {
    // The probability of a piece at a random place, from all ways to lay it over consecutive texts.
    const all = texts(grammar)
    const perText = grammarEntropy(grammar).tokensPerText
    const count = (piece: ReadonlyArray<string>): number => {
      const follow = (rest: ReadonlyArray<string>): number =>
        rest.length === 0
          ? 1
          : all.reduce((total, { words, probability }) => {
              const shared = Math.min(words.length, rest.length)
              const fits = words.slice(0, shared).every((word, i) => word === rest[i])
              return total + (fits ? probability * follow(rest.slice(shared)) : 0)
            }, 0)
      return all.reduce((total, { words, probability }) => {
        let here = 0
        for (let at = 0; at < words.length; at++) {
          const shared = Math.min(words.length - at, piece.length)
          const fits = words.slice(at, at + shared).every((word, i) => word === piece[i])
          if (fits) here += follow(piece.slice(shared))
        }
        return total + (probability * here) / perText
      }, 0)
    }
    for (const piece of [
      ["met", "Tom", "and", "ran", "Mia", ".", "<s>", "Ben"],
      ["Tom", "Tom", ".", "<s>", "Tom", "met", "Mia"],
      ["ran", "Mia", "."],
      [".", "<s>"],
      ["Mia", "met", "Ben", "Ben"],
      ["Mia", "Ben"],
      ["<s>", "met"],
    ]) {
      const reader = makeReader(grammar, "anywhere")
      const product = piece.reduce((total, word) => total * reader.read(word), 1)
      assert.closeTo(product, count(piece), 1e-12, piece.join(" "))
    }
  })

  it("predicts probabilities that add up to 1, whatever it has seen", () => {
    for (const { words } of texts(grammar)) {
      for (let from = 0; from < words.length; from++) {
        const reader = makeReader(grammar, "anywhere")
        for (const word of words.slice(from)) {
          const predicted = reader.predict()
          assert.closeTo(
            [...predicted.values()].reduce((a, b) => a + b, 0),
            1,
            1e-12,
          )
          assert.closeTo(reader.read(word), predicted.get(word) ?? 0, 1e-15)
        }
      }
    }
  })

  it("gives impossible words no probability, and is then at a loss", () => {
    const reader = makeReader(grammar, "start")
    assert.strictEqual(reader.read("met"), 0)
    assert.strictEqual(reader.predict().size, 0)
  })
})
