import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { makeObjectScanner, type Member, scanObject } from "./object_scanner.ts"

const inPieces = (text: string, size: number) => {
  const members: Array<Member> = []
  const scanner = makeObjectScanner((member) => void members.push(member))
  for (let at = 0; at < text.length; at += size) {
    const problem = scanner.feed(text.slice(at, at + size))
    if (problem !== undefined) return { problem }
  }
  const problem = scanner.end()
  return problem === undefined ? { members } : { problem }
}

const sample = `{
  "a": {"x": [1, "}\\"]", {"y": null}]},
  "b\\u0031":  -1.5e3,

  "a": "again, \\\\", "": []
}
`

describe("makeObjectScanner", () => {
  it("tells of every member with its line, keys that come twice included", () => {
    assert.deepStrictEqual(scanObject(sample), {
      members: [
        { key: "a", text: `{"x": [1, "}\\"]", {"y": null}]}`, line: 2 },
        { key: "b1", text: "-1.5e3", line: 3 },
        { key: "a", text: `"again, \\\\"`, line: 5 },
        { key: "", text: "[]", line: 5 },
      ],
    })
    assert.deepStrictEqual(scanObject(" {}\n"), { members: [] })
  })

  it("does not care where the pieces of the text end", () => {
    for (let size = 1; size <= sample.length; size++) {
      assert.deepStrictEqual(inPieces(sample, size), scanObject(sample), `pieces of ${size}`)
    }
  })

  const Value = Schema.Record(
    Schema.String,
    Schema.Union([Schema.String, Schema.Finite, Schema.Null, Schema.Array(Schema.String)]),
  )
  it.effect.prop(
    "finds what JSON.parse finds",
    [Value, Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 }))],
    ([value, size]) =>
      Effect.sync(() => {
        for (const text of [JSON.stringify(value), JSON.stringify(value, null, 1)]) {
          const found = inPieces(text, size)
          if ("problem" in found) return assert.fail(`${text}: ${found.problem.detail}`)
          const parsed: unknown = JSON.parse(text)
          const rebuilt = Object.fromEntries(
            found.members.map(({ key, text }) => [key, JSON.parse(text) as unknown]),
          )
          assert.deepStrictEqual(rebuilt, parsed)
        }
      }),
  )

  it("says on which line a text stops being an object", () => {
    const problems: ReadonlyArray<readonly [string, number, RegExp]> = [
      ["", 1, /found nothing/],
      ["\n[1]", 2, /expected \{ at the beginning, found "\["/],
      ['{"a": 1,\n}', 2, /expected a key in quotes, found "\}"/],
      ['{"a": 1\n"b": 2}', 2, /expected , or \}/],
      ['{"a" 1}', 1, /expected : after the key/],
      ['{"a": }', 1, /expected a value, found "\}"/],
      ['{\n"a": {"b": 1', 2, /ends within a value/],
      ['{"a": 1', 1, /ends within a value/],
      ['{"a": 1 ', 1, /ends before the last \}/],
      ['{"a": 1}\n{', 2, /expected nothing after the last \}/],
      ['{"\\q": 1}', 1, /no JSON string/],
    ]
    for (const [text, line, detail] of problems) {
      const found = scanObject(text)
      if (!("problem" in found)) return assert.fail(text)
      assert.strictEqual(found.problem.line, line, text)
      assert.match(found.problem.detail, detail)
    }
  })
})
