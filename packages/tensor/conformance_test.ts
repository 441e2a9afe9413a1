import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Conformance from "./conformance.ts"
import * as Interpreter from "./interpreter.ts"

describe("the interpreter agrees with the reference of every operation", () => {
  for (const conformanceCase of Conformance.rowCases()) {
    it.effect(conformanceCase.name, () =>
      Conformance.check(conformanceCase, Math.min(conformanceCase.tolerance, 1e-12)).pipe(
        Effect.provide(Interpreter.layer),
      ),
    )
  }
})

describe("the suite itself", () => {
  it.effect("is the same for the same seed", () =>
    Effect.gen(function* () {
      const [first, second] = [
        yield* Conformance.compositeCases(),
        yield* Conformance.compositeCases(),
      ]
      expect(first.map((c) => c.expected)).toEqual(second.map((c) => c.expected))
    }),
  )
  it("notices a wrong value", () => {
    const [first] = Conformance.rowCases().filter((c) => c.name === "exp")
    const expected = first.expected[4]
    const wrong = { ...expected, data: expected.data.map((x, i) => (i === 7 ? x * 1.001 : x)) }
    expect(Conformance.compare("exp", 4, wrong, expected, 1e-6)?.position).toBe(7)
  })
})
