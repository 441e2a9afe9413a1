import { assert, describe, it } from "@effect/vitest"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { packageVersions, sourceHash } from "./versions.ts"

describe("packageVersions", () => {
  it("from source, names every package that results depend on with a hash of its sources", () => {
    const versions = packageVersions()
    assert.match(versions["@espalier/pruning"], /^\d+\.\d+\.\d+\+[0-9a-f]{12}$/)
    // Not a dependency of this package, but of pruning.
    assert.match(versions["@espalier/calibration"], /\+[0-9a-f]{12}$/)
    assert.match(versions["@espalier/cli"], /\+[0-9a-f]{12}$/)
    assert.match(versions["@espalier/pipeline"], /^\d+\.\d+\.\d+$/)
    assert.match(versions.effect, /^4\.\d+\.\d+$/)
    assert.match(versions.webgpu, /^\d+\.\d+\.\d+$/)
    assert.notProperty(versions, "vitest")
    assert.deepStrictEqual(packageVersions(), versions)
  })
})

describe("sourceHash", () => {
  it("depends on sources and on nothing else", () => {
    const folder = mkdtempSync(join(tmpdir(), "espalier-hash-"))
    try {
      mkdirSync(join(folder, "deep"))
      writeFileSync(join(folder, "deep", "a.ts"), "1")
      const before = sourceHash(folder)
      writeFileSync(join(folder, "a_test.ts"), "1")
      writeFileSync(join(folder, "README.md"), "1")
      assert.strictEqual(sourceHash(folder), before)
      writeFileSync(join(folder, "deep", "a.ts"), "2")
      assert.notStrictEqual(sourceHash(folder), before)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
