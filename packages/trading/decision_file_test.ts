import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { parseDecisions } from "./decision_file.ts"

const expected = [
  ["2023-01-01", 1],
  ["2023-01-02", -1],
  ["2023-01-03", 0],
]

describe("parseDecisions", () => {
  it("reads objects, lists, lines of JSON, and lines of text", () => {
    const list = expected.map(([date, position]) => ({ date, action: position }))
    for (const text of [
      '{"2023-01-01": "BUY",\n"2023-01-02": "sell", "2023-01-03": "Hold"}',
      '{"2023-01-01": 1, "2023-01-02": -1, "2023-01-03": 0}',
      '{"2023-01-01": {"action": "buy", "why": "x"}, "2023-01-02": "-1", "2023-01-03": "0"}',
      JSON.stringify(list),
      JSON.stringify({ agent: "mine", decisions: list }, null, 2),
      list.map((entry) => JSON.stringify(entry)).join("\n"),
      "\ufeff2023-01-01,buy\r\n2023-01-02,sell\r\n\r\n2023-01-03,hold\r\n",
      "date\taction\n2023-01-01\t+1\n2023-01-02\t-1\n2023-01-03\t0",
      "2023-01-01 buy\n2023-01-02 sell\n2023-01-03  hold",
    ]) {
      assert.deepStrictEqual([...Result.getOrThrow(parseDecisions(text, "d"))], expected, text)
    }
  })

  it("names line and date of what is wrong", () => {
    const isKnown = (date: string) => date < "2024"
    for (const [text, message] of [
      ['{"2023-01-01": "buy",\n"2023-01-01": "sell"}', /^d:2: 2023-01-01: the date stands twice/],
      ['{\n"2023-01-01": "bye"}', /^d:2: 2023-01-01: expected buy, sell or hold, found "bye"/],
      ['{"2023-01-01": 2}', /found 2$/],
      ['{"2023-01-01": null}', /found null$/],
      ['[{"date": "2023-01-01"}]', /found no action/],
      ['[{"action": "buy"}]', /expected \{ "date"/],
      ['{"2023-02-30": "buy"}', /"2023-02-30" is no day of the calendar/],
      ["2023-01-01,buy\n2024-01-01,buy", /^d:2: 2024-01-01: the prices have no such date/],
      ["2023-01-01", /expected a date and an action/],
      ["2023-01-01,buy,sell", /expected a date and an action/],
      ['{"2023-01-01": "buy"', /ends/],
      ["[1", /no JSON/],
      ["", /there are no decisions/],
      ["{}", /there are no decisions/],
    ] as const) {
      const found = parseDecisions(text, "d", isKnown)
      if (Result.isSuccess(found)) return assert.fail(text)
      assert.match(found.failure.message, message, text)
      assert.notStrictEqual(found.failure.hint, "")
    }
  })
})
