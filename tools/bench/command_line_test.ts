import { assert, describe, it } from "vitest"
import { readCommandLine, selectCases } from "./command_line.ts"

const all = ["matmul-64", "matmul-64x2048x2048", "lm-train", "decode"].map((name) => ({ name }))

const names = (...wanted: ReadonlyArray<string>) => {
  const chosen = selectCases(all, wanted)
  return "problem" in chosen ? chosen.problem : chosen.map(({ name }) => name)
}

describe("readCommandLine", () => {
  it("reads cases and options in any order", () => {
    assert.deepStrictEqual(readCommandLine(["matmul", "--json", "a.json", "--", "decode"]), {
      cases: ["matmul", "decode"],
      json: "a.json",
      device: "wasm",
      list: false,
      quick: false,
    })
  })

  it("refuses what it does not know", () => {
    assert.property(readCommandLine(["--fast"]), "problem")
    assert.deepStrictEqual(readCommandLine(["--device", "tpu"]), {
      problem: `there is no device "tpu"`,
    })
  })
})

describe("selectCases", () => {
  it("takes all, a family, or one", () => {
    assert.deepStrictEqual(names(), ["matmul-64", "matmul-64x2048x2048", "lm-train", "decode"])
    assert.deepStrictEqual(names("matmul"), ["matmul-64", "matmul-64x2048x2048"])
    assert.deepStrictEqual(names("matmul-64"), ["matmul-64"])
    assert.deepStrictEqual(names("decode", "lm-train"), ["lm-train", "decode"])
  })

  it("says which names there are", () => {
    assert.match(names("matmull") as string, /^there is no case "matmull"; there are matmul-64,/)
  })
})
