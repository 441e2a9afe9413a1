import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { onTestFinished } from "vitest"
import type { Repository } from "../repository.ts"
import { readRepository } from "../repository.ts"

const target = { types: "./dist/mod.d.ts", default: "./dist/mod.js" }

/** The package.json of a package without fault. */
export const manifest = (name: string, more: Readonly<Record<string, unknown>> = {}) => ({
  name: `@espalier/${name}`,
  description: "For a test.",
  license: "MIT",
  type: "module",
  engines: { node: ">=22.19" },
  files: ["dist"],
  exports: {
    ".": { "@espalier/source": "./mod.ts", ...target },
    "./package.json": "./package.json",
  },
  publishConfig: { exports: { ".": target, "./package.json": "./package.json" } },
  scripts: { build: "b", typecheck: "t", test: "v" },
  peerDependencies: { effect: "^4.1.0" },
  ...more,
})

/** The files of a package without fault. */
export const cleanPackage = (
  name: string,
  more: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, string>> => ({
  [`packages/${name}/package.json`]: JSON.stringify(manifest(name, more), undefined, 2),
  [`packages/${name}/README.md`]: "# Title\n\nOne sentence.\n\n```ts\nconsole.log(1)\n```\n",
  [`packages/${name}/LICENSE`]: "MIT\n",
  [`packages/${name}/mod.ts`]: "export const one = 1\n",
})

/** Writes a small workspace into a temporary folder, which goes with the test. */
export const workspace = (
  ...parts: ReadonlyArray<Readonly<Record<string, string>>>
): Repository => {
  const root = mkdtempSync(join(tmpdir(), "espalier-check-"))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const files = {
    "package.json": JSON.stringify({ engines: { node: ">=22.19" } }),
    ...(Object.assign({}, ...parts) as Record<string, string>),
  }
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return readRepository(root)
}
