import { assert, describe, it } from "@effect/vitest"
import { branch, choose, continuations, makeGrammar, recall } from "./probabilistic_grammar.ts"

const names = ["Tom", "Mia", "Ben"]

describe("probabilistic grammars", () => {
  it("list what may come next, and remember what was drawn", () => {
    const grammar = makeGrammar(
      [
        choose(names, { slot: "first" }),
        choose(names, { slot: "second", except: "first" }),
        branch([0.25, ["met", recall("first")]], [0.75, ["."]]),
      ],
      "<s>",
    )
    const first = continuations(grammar, { node: grammar.start, slots: {} })
    assert.deepStrictEqual(
      first.map(({ word, probability }) => [word, probability]),
      names.map((name) => [name, 1 / 3]),
    )
    const second = continuations(grammar, first[1].next!)
    assert.deepStrictEqual(
      second.map(({ word, probability }) => [word, probability]),
      [
        ["Tom", 0.5],
        ["Ben", 0.5],
      ],
    )
    const third = continuations(grammar, second[0].next!)
    assert.deepStrictEqual(
      third.map(({ word, probability }) => [word, probability]),
      [
        ["met", 0.25],
        [".", 0.75],
      ],
    )
    const recalled = continuations(grammar, third[0].next!)
    assert.deepStrictEqual(
      recalled.map(({ word }) => word),
      ["Mia"],
    )
    assert.deepStrictEqual(continuations(grammar, third[1].next!), [
      { word: "<s>", probability: 1 },
    ])
    assert.deepStrictEqual(grammar.vocabulary, [".", "Ben", "Mia", "Tom", "met"])
  })

  it("refuse alternatives that the next word does not tell apart", () => {
    const drawn = choose(names, { slot: "name" })
    assert.throws(
      () => makeGrammar([branch([0.5, ["a b"]], [0.5, ["a c"]])], "<s>"),
      /begin with a/,
    )
    assert.throws(
      () => makeGrammar([drawn, branch([0.5, [recall("name")]], [0.5, ["Tom"]])], "<s>"),
      /begin with Tom/,
    )
    assert.throws(
      () => makeGrammar([branch([0.5, ["a"]], [0.5, [branch([0.5, ["b"]], [0.5, ["a"]])]])], "<s>"),
      /begin with a/,
    )
  })

  it("refuse what does not add up", () => {
    assert.throws(() => makeGrammar([branch([0.5, ["a"]], [0.4, ["b"]])], "<s>"), /adds up to 0\.9/)
    assert.throws(
      () => makeGrammar([branch([1, [recall("name")]])], "<s>"),
      /nothing fills slot name/,
    )
    assert.throws(() => makeGrammar(["a <s>"], "<s>"), /a word and the end/)
    assert.throws(
      () => makeGrammar([choose(names, { slot: "a" }), choose(["x", "y"], { slot: "a" })], "<s>"),
      /one way only/,
    )
  })
})
