import { afterEach, assert, describe, it } from "@effect/vitest"
import { mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs"
import { type CodeFolder, makeCodeFolder, workspaceFiles } from "../testing/code_folder.ts"
import { hashEachModule, hashModules } from "./module_hash.ts"

const folders: Array<CodeFolder> = []
const make = (files?: Readonly<Record<string, string>>): CodeFolder => {
  const folder = makeCodeFolder(files)
  folders.push(folder)
  return folder
}
afterEach(() => {
  for (const folder of folders.splice(0)) folder.remove()
})

const graphOf = async ({ at }: CodeFolder, entry = "app/step.ts") => {
  const { graphs } = await hashModules([at(entry)])
  return graphs.get(at(entry))!
}

describe("hashModules", () => {
  const isNoticed = async (name: string, from: string, to: string): Promise<boolean> => {
    const folder = make()
    const before = await graphOf(folder)
    folder.edit(name, from, to)
    return before.sha256 !== (await graphOf(folder)).sha256
  }

  it("hits where nothing that computes was edited", async () => {
    assert.isFalse(await isNoticed("app/step.ts", "// Counts.", "// Counts everything."), "comment")
    assert.isFalse(await isNoticed("app/step.ts", "=> {\n", "=> {\n\n\n"), "white space")
    assert.isFalse(
      await isNoticed("app/step.ts", "{ readonly n: number }", "{ n: number }"),
      "type",
    )
    assert.isFalse(await isNoticed("helpers/add.ts", "/** The sum. */", "/** A sum. */"), "comment")
    assert.isFalse(
      await isNoticed("helpers/add.ts", "readonly [number, number]", "[number, number]"),
    )
    assert.isFalse(await isNoticed("app/table.json", `{ "offset": 1 }`, `{"offset":1}`), "JSON")
    const renamed = make()
    const before = await graphOf(renamed)
    renamed.write("app/step.ts", workspaceFiles["app/step.ts"].replaceAll("Local", "Counted"))
    assert.strictEqual((await graphOf(renamed)).sha256, before.sha256, "a type of another name")
  })

  it("misses where something that it needs was edited, however it is reached", async () => {
    assert.isTrue(await isNoticed("app/step.ts", "+ late", "- late"), "itself")
    assert.isTrue(await isNoticed("helpers/add.ts", "a + b", "a - b"), "an imported package")
    assert.isTrue(await isNoticed("app/late.ts", "5", "6"), "a dynamic import")
    assert.isTrue(await isNoticed("app/table.json", "1", "2"), "JSON")
    assert.isTrue(await isNoticed("app/half.ts", "0.5", "0.25"), "what a worker imports")
  })

  it("hits where an export was edited that nothing uses", async () => {
    assert.isFalse(await isNoticed("helpers/unused.ts", "nothing", "nobody"), "behind a barrel")
    assert.isFalse(await isNoticed("helpers/add.ts", "=> 1", "=> 2"), "beside one that is used")
  })

  it("keeps what unused modules do when they are loaded, unless their package says they do nothing", async () => {
    const loud = make()
    loud.edit("helpers/unused.ts", "export", "console.log(1)\nexport")
    const before = await graphOf(loud)
    loud.edit("helpers/unused.ts", "export", "console.log(2)\nexport")
    assert.notStrictEqual((await graphOf(loud)).sha256, before.sha256)
    loud.edit("helpers/package.json", `"type"`, `"sideEffects": false, "type"`)
    const pure = await graphOf(loud)
    loud.edit("helpers/unused.ts", "export", "console.log(3)\nexport")
    assert.strictEqual((await graphOf(loud)).sha256, pure.sha256)
  })

  it("installed packages count by their exact version", async () => {
    const folder = make()
    const before = await graphOf(folder)
    assert.deepStrictEqual(before.packages, { third: "1.2.3" })
    folder.edit("node_modules/third/deep.js", "Number", "String")
    assert.deepStrictEqual(await graphOf(folder), before)
    folder.edit("node_modules/third/package.json", "1.2.3", "1.2.4")
    assert.deepStrictEqual((await graphOf(folder)).packages, { third: "1.2.4" })
    rmSync(folder.at("node_modules/third"), { recursive: true })
    assert.deepStrictEqual((await graphOf(folder)).packages, { third: "missing" })
  })

  it("is the same in another folder", async () => {
    const [here, there] = [make(), make()]
    mkdirSync(there.at("deep/er"), { recursive: true })
    const [before, after] = [await graphOf(here), await graphOf(there)]
    assert.strictEqual(after.sha256, before.sha256)
    assert.deepStrictEqual(
      await hashEachModule(after.modules),
      await hashEachModule(before.modules),
    )
    // Without a package around it, with an index file and modules that are wrapped.
    const bare = {
      "index.ts": `import old from "./old/index.cjs"\nexport default class {}\nexport const late = () => [old, import("./late.ts")]\n`,
      "old/index.cjs": `module.exports = 7\n`,
      "late.ts": `export default function () {}\n`,
    }
    const alone = await graphOf(make(bare), "index.ts")
    assert.strictEqual((await graphOf(make(bare), "index.ts")).sha256, alone.sha256)
    assert.deepStrictEqual([...alone.modules.keys()].toSorted(), [
      "index.ts",
      "late.ts",
      "old/index.cjs",
    ])
  })

  it("does not depend on what else is hashed", async () => {
    const { at } = make()
    const [step, other] = [at("app/step.ts"), at("app/other.ts")]
    const { graphs: both } = await hashModules([step, other])
    for (const entry of [step, other]) {
      const { graphs: one } = await hashModules([entry])
      assert.deepStrictEqual(both.get(entry), one.get(entry))
    }
  })

  it("reads the JavaScript of installed packages of its own scope, and links as well", async () => {
    const files = {
      "app/package.json": `{ "name": "app", "type": "module" }`,
      "app/step.js": `import { prune } from "@espalier/pruning"\nimport { Step } from "@espalier/pipeline"\nexport const run = [prune, Step]\n`,
      "node_modules/@espalier/pruning/package.json": `{ "name": "@espalier/pruning", "version": "0.1.0", "type": "module", "exports": { ".": { "types": "./mod.d.ts", "default": "./mod.js" } } }`,
      "node_modules/@espalier/pruning/mod.js": `/* Prunes. */\nexport const prune = 1\n`,
      "node_modules/@espalier/pipeline/package.json": `{ "name": "@espalier/pipeline", "version": "0.4.0", "type": "module", "exports": "./mod.js" }`,
      "node_modules/@espalier/pipeline/mod.js": `export const Step = 1\n`,
    }
    const folder = make(files)
    const before = await graphOf(folder, "app/step.js")
    assert.deepStrictEqual(before.packages, { "@espalier/pipeline": "0.4.0" })
    assert.deepStrictEqual([...before.modules.keys()].toSorted(), [
      "@espalier/pruning/mod.js",
      "app/step.js",
    ])
    folder.edit("node_modules/@espalier/pruning/mod.js", "Prunes.", "Removes weights.")
    assert.strictEqual((await graphOf(folder, "app/step.js")).sha256, before.sha256)
    renameSync(folder.at("node_modules/@espalier/pruning"), folder.at("pruning"))
    symlinkSync(folder.at("pruning"), folder.at("node_modules/@espalier/pruning"), "junction")
    assert.strictEqual((await graphOf(folder, "app/step.js")).sha256, before.sha256)
    folder.write("pruning/mod.js", "export const prune = 2\n")
    assert.notStrictEqual((await graphOf(folder, "app/step.js")).sha256, before.sha256)
  })

  it("names modules by their package, and hashes each by itself", async () => {
    const folder = make()
    const before = await hashEachModule((await graphOf(folder)).modules)
    assert.deepStrictEqual(Object.keys(before).toSorted(), [
      "@test/app/half.ts",
      "@test/app/late.ts",
      "@test/app/step.ts",
      "@test/app/table.json",
      "@test/app/worker.ts",
      "@test/helpers/add.ts",
    ])
    folder.edit("helpers/add.ts", "/** The sum. */", "")
    folder.edit("app/half.ts", "0.5", "0.75")
    const after = await hashEachModule((await graphOf(folder)).modules)
    const changed = Object.keys(after).filter((name) => after[name] !== before[name])
    assert.deepStrictEqual(changed, ["@test/app/half.ts"])
  })

  it("rejects what cannot be read", async () => {
    const folder = make()
    folder.edit("app/late.ts", "=", "= =")
    await hashModules([folder.at("app/step.ts")]).then(
      () => assert.fail("must not be read"),
      (error: { errors: ReadonlyArray<{ text: string }> }) =>
        assert.match(error.errors[0].text, /Unexpected "="/),
    )
  })
})
