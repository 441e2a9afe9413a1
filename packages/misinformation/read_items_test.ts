import { assert, describe, it } from "@effect/vitest"
import { withoutData } from "@espalier/testing"
import { Effect, Stream } from "effect"
import {
  formatInstruction,
  formatOutput,
  parseInstruction,
  readItems,
  streamClaims,
} from "./mod.ts"
import { dataItems, dataLines } from "./testing/data.ts"
import { memoryFiles } from "./testing/memory_files.ts"

const record = (claim: string, context: string, output = formatOutput("True", "So it is.")) =>
  JSON.stringify({ instruction: formatInstruction({ claim, context }), input: "", output })

const read = (text: string, skipBroken = false) =>
  readItems("items.json", { skipBroken }).pipe(Effect.provide(memoryFiles({ "items.json": text })))

describe("readItems", () => {
  it.effect("reads claim, context, label and explanation", () =>
    Effect.gen(function* () {
      assert.deepEqual(yield* read(record("A claim?", "Some text.")), [
        { claim: "A claim?", context: "Some text.", label: "True", explanation: "So it is." },
      ])
    }),
  )

  it.effect("refuses an empty context, an empty claim and an instruction without them", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [string, RegExp]> = [
        [record("A claim?", "  "), /items\.json:2: the context is empty/],
        [record("", "Text."), /items\.json:2: the claim is empty/],
        [
          JSON.stringify({ instruction: "What?", output: "" }),
          /items\.json:2: .* claim and a context/,
        ],
        [JSON.stringify({ output: "" }), /items\.json:2: there is no field "instruction"/],
      ]
      for (const [bad, says] of cases) {
        const good = record("A claim?", "Some text.")
        const error = yield* Effect.flip(read(`${good}\n${bad}\n${good}`))
        assert.strictEqual(error._tag, "FmdFormatError")
        assert.match(error.message, says)
        assert.isNotEmpty(error.hint)
        assert.strictEqual((yield* read(`${good}\n${bad}\n${good}`, true)).length, 2)
      }
    }),
  )

  it.effect("refuses a file without an item", () =>
    Effect.gen(function* () {
      assert.match((yield* Effect.flip(read("\n"))).message, /there is no item/)
      assert.strictEqual((yield* Effect.flip(read("{", true)))._tag, "FmdFileError")
    }),
  )
})

describe("streamClaims", () => {
  it.effect("needs no right answer", () =>
    Effect.gen(function* () {
      const text = JSON.stringify({ instruction: formatInstruction({ claim: "a", context: "b" }) })
      const claims = yield* Stream.runCollect(streamClaims("items.json")).pipe(
        Effect.provide(memoryFiles({ "items.json": text })),
      )
      assert.deepEqual(claims, [{ claim: "a", context: "b" }])
    }),
  )
})

describe("formatInstruction", () => {
  it("is the challenge's prompt to the letter", (context) => {
    if (withoutData !== undefined) return context.skip(withoutData)
    for (const line of dataLines("FMD_val")) {
      const instruction = String(JSON.parse(line).instruction)
      const claim = parseInstruction(instruction)!
      const squeeze = (text: string) => text.replaceAll(/[ \n]+/g, " ").trim()
      assert.strictEqual(squeeze(formatInstruction(claim)), squeeze(instruction))
      assert.isTrue(instruction.startsWith(formatInstruction(claim).split(" Claim:")[0]))
    }
  })

  it("is read back, whatever the texts say", () => {
    const claim = {
      claim: "Is this contextual information, or not?",
      context: "A Claim: contextual information: x",
    }
    assert.deepEqual(parseInstruction(formatInstruction(claim)), claim)
  })
})

describe("the challenge's files", () => {
  it("hold 550 items: 253 False, 193 True, 104 NEI", (context) => {
    if (withoutData !== undefined) return context.skip(withoutData)
    const items = dataItems()
    const count = (label: string) => items.filter((item) => item.label === label).length
    assert.deepEqual(
      [items.length, count("False"), count("True"), count("NEI")],
      [550, 253, 193, 104],
    )
  })
})
