import { assert, describe, it } from "@effect/vitest"
import { budgetLayer, hashedEmbeddings, scriptedLanguageModel } from "@espalier/llm"
import { Effect, Layer } from "effect"
import { LanguageModel } from "effect/ai"
import {
  findPassage,
  formatInstruction,
  type Item,
  makeNeighbours,
  verifierPrompt,
  verifyClaim,
} from "./mod.ts"
import { tinyItems } from "./testing/tiny_items.ts"

const claim = {
  claim: "The senator's tax is new.",
  context: "The tax  was “introduced” in 1986. It isn’t new. Nobody said otherwise.",
}

const answer = (evidence: ReadonlyArray<string>, prediction = "False") =>
  JSON.stringify({ prediction, explanation: "It isn't new.", evidence })

describe("verifyClaim", () => {
  it.effect("finds evidence in the context, and marks and counts what is not there", () =>
    Effect.gen(function* () {
      const cited = ['The tax was "introduced" in 1986.', "It isn't new.", "The senator lied.", " "]
      const verdict = yield* verifyClaim(claim).pipe(
        Effect.provide(scriptedLanguageModel([answer(cited)])),
      )
      assert.deepEqual([verdict.label, verdict.explanation], ["False", "It isn't new."])
      assert.strictEqual(verdict.unfounded, 2)
      const found = verdict.evidence.map(
        ({ span }) => span && claim.context.slice(span.start, span.end),
      )
      assert.deepEqual(found, [
        "The tax  was “introduced” in 1986.",
        "It isn’t new.",
        undefined,
        undefined,
      ])
    }),
  )

  it.effect("asks with the challenge's prompt as the last message, examples before it", () =>
    Effect.gen(function* () {
      const examples = tinyItems(2)
      let seen = ""
      const model = scriptedLanguageModel(({ text }) => {
        seen = text
        return answer([])
      })
      yield* verifyClaim(claim, { examples }).pipe(Effect.provide(model))
      assert.include(seen, formatInstruction(claim))
      const prompt = verifierPrompt(claim, { examples })
      assert.deepEqual(
        prompt.map(({ role }) => role),
        ["system", "user", "assistant", "user", "assistant", "user"],
      )
      assert.strictEqual(prompt.at(-1)?.content, formatInstruction(claim))
      const shown = JSON.parse(prompt[2].content)
      assert.strictEqual(shown.prediction, examples[0].label)
      assert.include(examples[0].context, shown.evidence[0])
    }),
  )

  it.effect("repairs an answer once, and says of a second bad one that it is none", () =>
    Effect.gen(function* () {
      const repaired = scriptedLanguageModel([answer([], "Mostly True"), answer([], "True")])
      assert.strictEqual((yield* Effect.provide(verifyClaim(claim), repaired)).label, "True")
      const { label, invalid } = yield* verifyClaim(claim).pipe(
        Effect.provide(scriptedLanguageModel(["I cannot say."])),
      )
      assert.strictEqual(label, undefined)
      assert.strictEqual(invalid?.answer, "I cannot say.")
    }),
  )

  it.effect("stops with a typed error where the budget is spent", () =>
    Effect.gen(function* () {
      const budgeted = Layer.provideMerge(
        scriptedLanguageModel(() => answer([])),
        budgetLayer({ requests: 2 }),
      )
      const asked: Array<number> = []
      const error = yield* Effect.forEach([1, 2, 3, 4], (n) =>
        Effect.tap(verifyClaim(claim), () => Effect.sync(() => asked.push(n))),
      ).pipe(Effect.provide(budgeted), Effect.flip)
      assert.strictEqual(error._tag, "BudgetExhausted")
      assert.deepEqual(asked, [1, 2])
    }),
  )

  it.effect("works with any LanguageModel", () =>
    Effect.gen(function* () {
      const model = LanguageModel.make({
        generateText: () =>
          Effect.succeed([{ type: "text", text: answer(["It isn’t new."], "NEI") }]),
        streamText: () => {
          throw new Error("nothing is streamed")
        },
      })
      const verdict = yield* Effect.provideServiceEffect(
        verifyClaim(claim),
        LanguageModel.LanguageModel,
        model,
      )
      assert.deepEqual([verdict.label, verdict.unfounded], ["NEI", 0])
    }),
  )
})

describe("findPassage", () => {
  it("finds what is copied to the letter, at its first place", () => {
    assert.deepEqual(findPassage("a b a b", "b"), { start: 2, end: 3 })
    assert.strictEqual(findPassage("a b", "a c"), undefined)
    assert.strictEqual(findPassage("a b", ""), undefined)
    assert.strictEqual(findPassage("Upper", "upper"), undefined)
  })

  it("gives a span of the context itself, whatever lies between words", () => {
    const context = "x\n\n one \t two – three 🙂 four"
    const span = findPassage(context, "one two - three 🙂 four")!
    assert.strictEqual(context.slice(span.start, span.end), "one \t two – three 🙂 four")
  })
})

describe("makeNeighbours", () => {
  const item = (text: string): Item => ({
    claim: text,
    context: "c",
    label: "True",
    explanation: "e",
  })

  it.effect("finds the likest first and never the very claim", () =>
    Effect.gen(function* () {
      const items = [
        item("The governor cut school funding."),
        item("A shark swam down the flooded street."),
        item("School funding was cut by the governor in 2011."),
      ]
      const { nearest } = yield* makeNeighbours(items)
      const found = yield* nearest({ claim: items[0].claim, context: "" }, 5)
      assert.deepEqual(found, [items[2], items[1]])
      assert.deepEqual(yield* nearest({ claim: "sharks", context: "" }, 0), [])
    }).pipe(Effect.provide(hashedEmbeddings())),
  )

  it.effect("takes no items, and more than one batch", () =>
    Effect.gen(function* () {
      const none = yield* makeNeighbours([])
      assert.deepEqual(yield* none.nearest({ claim: "x", context: "" }, 3), [])
      const many = yield* makeNeighbours(tinyItems(150))
      const [first] = yield* many.nearest({ claim: "District 140", context: "" }, 1)
      assert.include(first.claim, "District")
    }).pipe(Effect.provide(hashedEmbeddings())),
  )
})
