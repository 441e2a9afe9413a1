import { assert, describe, it } from "vitest"
import { allCases, findCase } from "./all.ts"

describe("allCases", () => {
  it("gives every case a name of its own, the same in both scales", () => {
    const names = allCases("full").map(({ name }) => name)
    assert.strictEqual(new Set(names).size, names.length)
    assert.deepStrictEqual(
      allCases("quick").map(({ name }) => name),
      names,
    )
  })

  it("says which case is missing", () => {
    assert.throws(() => findCase("matmull", "quick"), /matmull/)
  })
})
