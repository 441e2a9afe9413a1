import { assert, describe, it } from "@effect/vitest"
import { readPattern, translatePattern } from "./pattern.ts"
import { TokenizerProblem } from "./problem.ts"

const matches = (pattern: string, text: string): ReadonlyArray<string> =>
  text.match(new RegExp(translatePattern(pattern), "gu")) ?? []

describe("patterns of tokenizer files", () => {
  it("see white space as Unicode has it, unlike JavaScript", () => {
    assert.deepStrictEqual(matches(String.raw`\s`, "\u0085\ufeff\u3000"), ["\u0085", "\u3000"])
    assert.deepStrictEqual(matches(String.raw`[^\s\p{L}]+`, "a \ufeff!"), ["\ufeff!"])
  })

  it("count digits of every script", () => {
    assert.deepStrictEqual(matches(String.raw`\d+`, "12 ٣٤ ½"), ["12", "٣٤"])
  })

  it("leave letter case out where they say so, and only there", () => {
    assert.deepStrictEqual(matches("(?i:'s|k)s", "'Ss 'sS \u212as"), ["'Ss", "\u212as"])
  })

  it("escape what needs no escape in JavaScript", () => {
    assert.deepStrictEqual(matches(String.raw`[\"\-\ \]]+|\#`, `a"- ]#`), ['"- ]', "#"])
  })

  it("are refused where the two languages differ", () => {
    for (const pattern of [
      String.raw`\p{L}++`,
      String.raw`[a&&b]`,
      String.raw`[a[b]]`,
      String.raw`(?i:[a-f])`,
      String.raw`\bword\b`,
      String.raw`\w+`,
      String.raw`(a)\1`,
      "a.b",
      "^a",
      "(a",
      "a)b",
      "[]a]",
      "a\\",
    ]) {
      assert.throws(() => translatePattern(pattern), TokenizerProblem, undefined, pattern)
    }
  })

  it("may be plain texts", () => {
    assert.deepStrictEqual("a.b+".match(readPattern({ String: ".b+" }, "here")), [".b+"])
    assert.throws(() => readPattern({ Other: "" }, "here"), TokenizerProblem, "here")
  })
})
