import { assert, describe, it } from "@effect/vitest"
import { formatNumber, formatReasons, formatSeconds, formatTable } from "./table.ts"

describe("formatTable", () => {
  it("sets numbers to the right and words to the left", () => {
    const rows = [
      ["step", "ppl"],
      ["dense", "3.72"],
      ["magnitude", "12.5"],
      ["é", "∞"],
    ]
    assert.strictEqual(
      formatTable(rows),
      [
        "step        ppl",
        "─────────  ────",
        "dense      3.72",
        "magnitude  12.5",
        "é             ∞",
      ].join("\n"),
    )
    assert.strictEqual(formatTable([]), "")
  })
})

describe("formatNumber", () => {
  it("keeps whole numbers and five digits of others", () => {
    const cases: ReadonlyArray<readonly [number, string]> = [
      [3, "3"],
      [0, "0"],
      [0.5, "0.50000"],
      [12.3456789, "12.346"],
      [12345.678, "12346"],
      [1.5e8 + 0.5, "1.500e+8"],
      [0.00001234, "1.234e-5"],
      [Infinity, "∞"],
    ]
    for (const [value, text] of cases) assert.strictEqual(formatNumber(value), text)
  })
})

describe("formatSeconds", () => {
  it("takes the unit that fits", () => {
    assert.deepStrictEqual([0.04, 9.94, 12, 99.4, 119.6, 3599, 7260].map(formatSeconds), [
      "0.0 s",
      "9.9 s",
      "12 s",
      "99 s",
      "2 min 0 s",
      "59 min 59 s",
      "2 h 1 min",
    ])
  })
})

describe("formatReasons", () => {
  it("keeps a line short and counts what it leaves out", () => {
    assert.deepStrictEqual([[], ["a"], ["a", "b", "c"], ["a", "b", "c", "d"]].map(formatReasons), [
      "",
      "a",
      "a, b, c",
      "a, b, and 2 more",
    ])
  })
})
