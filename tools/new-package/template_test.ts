import { assert, describe, it } from "vitest"
import { packageFiles, whyNotAName } from "./template.ts"

describe("whyNotAName", () => {
  it.each(["tensor", "state-space", "s4d"])("accepts %s", (name) => {
    assert.isUndefined(whyNotAName(name))
  })

  it.each(["", "State", "a_b", "../x", "-a", "a--b", "@espalier/x", "a b"])(
    "refuses '%s'",
    (name) => {
      assert.isString(whyNotAName(name))
    },
  )
})

describe("packageFiles", () => {
  it("speaks of the package by its name everywhere", () => {
    const files = packageFiles("state-space", ">=22.19", "MIT")
    assert.include(files["package.json"], `"name": "@espalier/state-space"`)
    assert.include(files["README.md"], `from "@espalier/state-space"`)
    assert.include(files["mean.ts"], `from "@espalier/state-space"`)
    assert.strictEqual(files["LICENSE"], "MIT")
  })
})
