import type { Manifest } from "./repository.ts"
import { codeBlocks } from "./readme.ts"
import type { CodeBlock } from "./readme.ts"
import { sourceCondition } from "./rules.ts"

/** The first block of a README where it is a program, else `undefined`. */
export const firstProgram = (readme: string): CodeBlock | undefined => {
  const [first] = codeBlocks(readme)
  return first && /^(?:ts|typescript|js|javascript|mjs)$/.test(first.language) ? first : undefined
}

/** What in a packed package.json only means something inside the workspace. */
export const workspaceLeftovers = (manifest: Manifest): ReadonlyArray<string> => {
  const ranges = Object.entries({
    ...manifest.dependencies,
    ...manifest.peerDependencies,
    ...manifest.optionalDependencies,
  })
  const unresolved = ranges
    .filter(([, range]) => /^(?:workspace|catalog|link|file):/.test(range))
    .map(([name, range]) => `"${name}": "${range}" was not replaced by a version`)
  return JSON.stringify(manifest.exports ?? {}).includes(sourceCondition)
    ? [...unresolved, `"exports" still holds "${sourceCondition}"`]
    : unresolved
}

/** Packed files that no user needs. */
export const superfluous = (files: ReadonlyArray<string>): ReadonlyArray<string> =>
  files.filter((file) => /_test\.|(?:^|\/)testing\/|\.config\.|\.tsbuildinfo$/.test(file))

/**
 * Whether a program failed only for want of a GPU on this machine, which is no fault of the package.
 * `ESPALIER_REQUIRE_WEBGPU` makes it one.
 */
export const lacksAdapter = (output: string, environment = process.env): boolean =>
  /\bDeviceUnavailable\b/.test(output) && environment["ESPALIER_REQUIRE_WEBGPU"] !== "1"
