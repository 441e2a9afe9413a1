import { assert, describe, it } from "@effect/vitest"
import { renameSync, symlinkSync } from "node:fs"
import { makeCodeFolder } from "../testing/code_folder.ts"
import { cacheName, packGraphs, unpackGraphs } from "./module_cache.ts"
import { hashModules } from "./module_hash.ts"

const kept = async (change: (folder: ReturnType<typeof makeCodeFolder>) => void) => {
  const folder = makeCodeFolder()
  try {
    const made = await hashModules([folder.at("app/step.ts"), folder.at("app/other.ts")])
    const packed = packGraphs({ ...made, isSettled: true })!
    assert.isUndefined(packGraphs({ ...made, isSettled: false }))
    change(folder)
    return { made: made.graphs, kept: unpackGraphs(JSON.parse(JSON.stringify(packed)) as never) }
  } finally {
    folder.remove()
  }
}

describe("graphs that are kept", () => {
  it("are what they were while nothing changes", async () => {
    const graphs = await kept(() => undefined)
    assert.deepStrictEqual(graphs.kept, graphs.made)
  })

  it("do not count where a file was written, even to the same length", async () => {
    const edited = await kept(({ edit }) => edit("helpers/add.ts", "a + b", "a - b"))
    assert.isUndefined(edited.kept)
    const upgraded = await kept(({ edit }) =>
      edit("node_modules/third/package.json", "1.2.3", "1.2.4"),
    )
    assert.isUndefined(upgraded.kept)
  })

  it("do not count where a package is found elsewhere", async () => {
    const moved = await kept(({ at }) => {
      renameSync(at("node_modules/third"), at("third"))
      symlinkSync(at("third"), at("node_modules/third"), "junction")
    })
    assert.isUndefined(moved.kept)
  })

  it("have a name by their files, in any order", () => {
    assert.strictEqual(cacheName(["/a", "/b"]), cacheName(["/b", "/a"]))
    assert.notStrictEqual(cacheName(["/a"]), cacheName(["/b"]))
  })
})
