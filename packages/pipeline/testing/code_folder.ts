import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

/** A workspace with a step, a package that it imports, and an installed package. */
export const workspaceFiles: Readonly<Record<string, string>> = {
  "app/package.json": `{ "name": "@test/app", "type": "module" }`,
  "app/step.ts": `// Counts.
import { add, type Pair } from "@test/helpers"
import { parse } from "third/deep"
import table from "./table.json" with { type: "json" }
interface Local { readonly n: number }
export const step = async (pair: Pair): Promise<Local> => {
  const { late } = await import("./late.ts")
  return { n: parse(add(pair)) + table.offset + late }
}
export const worker = () => new URL("./worker.ts", import.meta.url)
`,
  "app/late.ts": `export const late = 5\n`,
  "app/table.json": `{ "offset": 1 }\n`,
  "app/worker.ts": `import { half } from "./half.ts"\npostMessage(half)\n`,
  "app/half.ts": `export const half: number = 0.5\n`,
  "app/other.ts": `import { add } from "@test/helpers"\nexport const other = add([1, 2])\n`,
  "helpers/package.json": `{ "name": "@test/helpers", "version": "0.0.0", "type": "module", "exports": "./mod.ts" }`,
  "helpers/mod.ts": `export { add, type Pair } from "./add.ts"\nexport { unused } from "./unused.ts"\n`,
  "helpers/add.ts": `export type Pair = readonly [number, number]
/** The sum. */
export const add = ([a, b]: Pair): number => a + b
export const alsoUnused = (): number => 1
`,
  "helpers/unused.ts": `export const unused = (): string => "nothing needs me"\n`,
  "node_modules/third/package.json": `{ "name": "third", "version": "1.2.3", "type": "module", "exports": { "./deep": "./deep.js" } }`,
  "node_modules/third/deep.js": `export const parse = Number\n`,
}

/** Writes files into a new temporary folder, `helpers` installed by a link as in a workspace. */
export const makeCodeFolder = (files: Readonly<Record<string, string>> = workspaceFiles) => {
  const folder = mkdtempSync(join(tmpdir(), "espalier-code-"))
  const at = (...parts: ReadonlyArray<string>) => join(folder, ...parts)
  const write = (name: string, text: string) => {
    mkdirSync(dirname(at(name)), { recursive: true })
    writeFileSync(at(name), text)
  }
  for (const [name, text] of Object.entries(files)) write(name, text)
  if ("helpers/package.json" in files) {
    mkdirSync(at("node_modules/@test"), { recursive: true })
    symlinkSync(at("helpers"), at("node_modules/@test/helpers"), "junction")
  }
  return {
    at,
    write,
    /** Replaces a part of a file. */
    edit: (name: string, from: string, to: string) => {
      if (!files[name].includes(from)) throw new Error(`${name} has no ${from}`)
      write(name, files[name].replace(from, to))
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** What {@link makeCodeFolder} gives. */
export type CodeFolder = ReturnType<typeof makeCodeFolder>
