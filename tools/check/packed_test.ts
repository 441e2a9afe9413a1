import { assert, describe, it } from "vitest"
import { firstProgram, lacksAdapter, superfluous, workspaceLeftovers } from "./packed.ts"
import { codeBlocks } from "./readme.ts"

describe("codeBlocks", () => {
  it("gives language, code and line, with indentation taken out", () => {
    const text = "# T\n\n```ts\na\n\n  b\n```\n\n- item\n\n  ````js\n  ```\n  ````\n"
    assert.deepStrictEqual(codeBlocks(text), [
      { language: "ts", code: "a\n\n  b\n", line: 4 },
      { language: "js", code: "```\n", line: 12 },
    ])
  })
})

describe("firstProgram", () => {
  it("is the first block, where that is a program", () => {
    assert.strictEqual(firstProgram("# T\n\n```ts\na\n```\n```ts\nb\n```\n")?.code, "a\n")
    assert.isUndefined(firstProgram("# T\n\n```sh\na\n```\n```ts\nb\n```\n"))
    assert.isUndefined(firstProgram("# T\n"))
  })
})

describe("workspaceLeftovers", () => {
  it("finds unresolved versions and the source condition", () => {
    const found = workspaceLeftovers({
      name: "x",
      dependencies: { a: "workspace:*", b: "1.0.0" },
      peerDependencies: { c: "catalog:" },
      exports: { ".": { "@espalier/source": "./mod.ts" } },
    })
    assert.lengthOf(found, 3)
  })

  it("accepts a clean package", () => {
    assert.isEmpty(
      workspaceLeftovers({ name: "x", exports: { ".": { default: "./dist/mod.js" } } }),
    )
  })
})

describe("superfluous", () => {
  it("finds tests and configuration", () => {
    const tests = ["dist/a_test.js", "dist/testing/b.js", "dist/vitest.config.js"]
    assert.deepStrictEqual(superfluous(["dist/mod.js", "README.md", ...tests]), tests)
  })
})

describe("lacksAdapter", () => {
  it("excuses a missing GPU unless one is required", () => {
    const output = "DeviceUnavailable: no adapter from vulkan"
    assert.isTrue(lacksAdapter(output, {}))
    assert.isFalse(lacksAdapter(output, { ESPALIER_REQUIRE_WEBGPU: "1" }))
    assert.isFalse(lacksAdapter("TypeError", {}))
  })
})
