import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { extractJson } from "./extract_json.ts"
import { generateObject } from "./generate_object.ts"
import { type ScriptedCall, scriptedLanguageModel } from "./scripted_language_model.ts"
import { budgetLayer } from "./spending/budget.ts"

const Height = Schema.Struct({ metres: Schema.Finite }).annotate({ identifier: "Height" })

const ask = generateObject({ prompt: "How tall is Ben Nevis?", schema: Height })

describe("generateObject", () => {
  it.effect("takes a good answer as it is", () =>
    Effect.gen(function* () {
      const { value, attempts } = yield* Effect.provide(
        ask,
        scriptedLanguageModel(['{"metres":1345}']),
      )
      assert.deepStrictEqual([value.metres, attempts], [1345, 1])
    }),
  )

  it.effect("shows a bad answer, its error and the schema once, and takes the repaired one", () =>
    Effect.gen(function* () {
      const calls: Array<ScriptedCall> = []
      const model = scriptedLanguageModel((call) => {
        calls.push(call)
        return call.index === 0 ? '{"metres":"tall"}' : '{"metres":1345}'
      })
      const { value, attempts } = yield* Effect.provide(ask, model)
      assert.deepStrictEqual([value.metres, attempts], [1345, 2])
      const roles = calls[1].prompt.content.map(({ role }) => role)
      assert.deepStrictEqual(roles, ["user", "assistant", "user"])
      for (const shown of [
        '{"metres":"tall"}',
        "metres",
        '"type": "number"',
        "How tall is Ben Nevis?",
      ]) {
        assert.include(calls[1].text, shown)
      }
    }),
  )

  it.effect("fails after a second bad answer, which the error holds", () =>
    Effect.gen(function* () {
      const model = scriptedLanguageModel(["I do not know", "really not"])
      const error = yield* Effect.flip(Effect.provide(ask, model))
      if (error._tag !== "InvalidAnswer") return assert.fail(error._tag)
      assert.strictEqual(error.answer, "really not")
      assert.strictEqual(error.objectName, "Height")
      assert.match(error.message, /larger model/)
    }),
  )

  it.effect("repairs no answer at all, and counts the repair as a call", () =>
    Effect.gen(function* () {
      const { attempts } = yield* Effect.provide(ask, scriptedLanguageModel(["", '{"metres":1}']))
      assert.strictEqual(attempts, 2)
      const error = yield* Effect.flip(
        Effect.provide(ask, [scriptedLanguageModel(["no"]), budgetLayer({ requests: 1 })]),
      )
      assert.strictEqual(error._tag, "BudgetExhausted")
    }),
  )
})

describe("extractJson", () => {
  it("finds the first whole object or array, with brackets and quotes in its texts", () => {
    const object = '{"a": "}\\"]{", "b": [1, {"c": null}]}'
    for (const answer of [object, `Here: ${object} Done.`, `\`\`\`json\n${object}\n\`\`\``]) {
      assert.strictEqual(extractJson(answer), object)
    }
    assert.strictEqual(extractJson("a {broken} then [1, 2]"), "[1, 2]")
  })

  it("leaves an answer without any alone", () => {
    for (const answer of ["", "none", "{", '{"a": '])
      assert.strictEqual(extractJson(answer), answer)
  })
})
