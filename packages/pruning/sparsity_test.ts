import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  checkWidth,
  InvalidSparsity,
  parseSparsity,
  printSparsity,
  SparsityInput,
} from "./sparsity.ts"

describe("sparsity", () => {
  it("is a fraction, or N kept of every M", () => {
    assert.deepStrictEqual(parseSparsity(0.5), { kind: "unstructured", fraction: 0.5 })
    assert.deepStrictEqual(parseSparsity("2:4"), { kind: "structured", keep: 2, of: 4 })
    assert.deepStrictEqual(parseSparsity("1:16"), { kind: "structured", keep: 1, of: 16 })
    assert.deepStrictEqual([0, 1, "4:4"].map(parseSparsity).map(printSparsity), ["0", "1", "4:4"])
  })

  it("is refused where it says nothing sensible, with what to write instead", () => {
    for (const input of [
      1.5,
      -0.1,
      Number.NaN,
      "5:4",
      "0:4",
      "1:1",
      "2:",
      "half",
      "2:4:8",
      "0.5",
    ]) {
      assert.isFalse(Schema.is(SparsityInput)(input), String(input))
      try {
        parseSparsity(input)
        assert.fail(`accepted ${input}`)
      } catch (error) {
        if (!(error instanceof InvalidSparsity)) throw error
        assert.include(error.message, `${input} is no sparsity`)
        assert.include(error.hint, '"2:4"')
      }
    }
  })

  it("has to divide the width where it is N:M; the error names the tensor and the width", () => {
    assert.isUndefined(checkWidth(parseSparsity("2:4"), "blocks.0.down", 172))
    assert.isUndefined(checkWidth(parseSparsity(0.3), "blocks.0.down", 171))
    const problem = checkWidth(parseSparsity("4:8"), "blocks.0.down", 172)!
    assert.deepStrictEqual(
      [problem._tag, problem.tensor, problem.width, problem.sparsity],
      ["SparsityWidthMismatch", "blocks.0.down", 172, "4:8"],
    )
    assert.include(problem.message, "blocks.0.down has 172 inputs, which 4:8 does not divide")
  })
})
