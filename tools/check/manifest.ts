import { isDeepStrictEqual } from "node:util"
import type { Problem } from "./problem.ts"
import type { Repository, WorkspacePackage } from "./repository.ts"
import { sourceCondition } from "./rules.ts"

const withoutSource = (exports: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    Object.entries(exports).map(([subpath, target]) => {
      if (typeof target !== "object" || target === null) return [subpath, target]
      const { [sourceCondition]: _, ...published } = target as Record<string, unknown>
      return [subpath, published]
    }),
  )

/** What is wrong with the package.json of a published package. */
export const checkManifest = (
  repository: Repository,
  { folder, manifest }: WorkspacePackage,
): ReadonlyArray<Problem> => {
  if (manifest.private) return []
  const file = `${folder}/package.json`
  const problems: Array<Problem> = []
  const expect = (holds: boolean, message: string) => {
    if (!holds) problems.push({ file, line: 1, message })
  }
  const root = JSON.parse(repository.read("package.json")) as WorkspacePackage["manifest"]
  const { exports = {}, publishConfig, dependencies, devDependencies, peerDependencies } = manifest
  expect(manifest.license === "MIT", `"license" is "MIT"`)
  expect(manifest.type === "module", `"type" is "module"`)
  expect(Boolean(manifest.description), `"description" says in a sentence what the package is for`)
  expect(
    manifest.engines?.["node"] === root.engines?.["node"],
    `"engines" is the root's: { "node": "${root.engines?.["node"]}" }`,
  )
  expect(manifest.files?.includes("dist") === true, `"files" holds "dist"`)
  for (const script of ["build", "typecheck", "test"])
    expect(manifest.scripts?.[script] !== undefined, `"scripts" has "${script}"`)

  const main = exports["."] as Record<string, unknown> | undefined
  expect(
    main?.[sourceCondition] === "./mod.ts" &&
      main["types"] === "./dist/mod.d.ts" &&
      main["default"] === "./dist/mod.js",
    `"exports" gives mod.ts under "${sourceCondition}", dist/mod.d.ts under "types", dist/mod.js by default`,
  )
  expect(
    isDeepStrictEqual(publishConfig?.exports, withoutSource(exports)),
    `"publishConfig.exports" is "exports" without "${sourceCondition}"`,
  )

  expect(peerDependencies?.["effect"] !== undefined, `"effect" is a peer dependency`)
  expect(dependencies?.["effect"] === undefined, `"effect" is no ordinary dependency`)
  for (const [name, range] of Object.entries({ ...dependencies, ...devDependencies }))
    expect(
      /^(?:workspace:\*|catalog:|\d+\.\d+\.\d+\S*)$/.test(range),
      `"${name}": "${range}" is not pinned; use "workspace:*", "catalog:" or an exact version`,
    )
  return problems
}
