/** Why a text cannot be the name of a package, or `undefined` where it can. */
export const whyNotAName = (name: string): string | undefined => {
  if (name === "") return "a name is needed"
  if (!/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(name))
    return `"${name}" is no package name; use lower-case words joined by hyphens, such as state-space`
  return undefined
}

const json = (value: unknown) => `${JSON.stringify(value, undefined, 2)}\n`

const published = { types: "./dist/mod.d.ts", default: "./dist/mod.js" }

/** The files of a new package by their paths in its folder. */
export const packageFiles = (
  name: string,
  node: string,
  license: string,
): Readonly<Record<string, string>> => ({
  LICENSE: license,
  "package.json": json({
    name: `@espalier/${name}`,
    version: "0.1.0",
    description: `The ${name.replaceAll("-", " ")} package of Espalier.`,
    license: "MIT",
    type: "module",
    sideEffects: false,
    engines: { node },
    files: ["dist"],
    exports: {
      ".": { "@espalier/source": "./mod.ts", ...published },
      "./package.json": "./package.json",
    },
    publishConfig: { exports: { ".": published, "./package.json": "./package.json" } },
    scripts: {
      build: "node ../../tools/build.mjs",
      typecheck: "tsc -p tsconfig.json",
      test: "vitest run",
    },
    devDependencies: {
      "@effect/vitest": "catalog:",
      "@types/node": "catalog:",
      effect: "catalog:",
      vitest: "catalog:",
    },
    peerDependencies: { effect: "^4.1.0" },
  }),
  "tsconfig.json": json({
    extends: "../../tsconfig.base.json",
    compilerOptions: { noEmit: true, types: ["node"] },
    include: ["**/*.ts"],
    exclude: ["dist", "node_modules"],
  }),
  "tsconfig.build.json": json({
    extends: "../../tsconfig.base.json",
    compilerOptions: {
      rootDir: ".",
      outDir: "dist",
      declaration: true,
      sourceMap: false,
      customConditions: [],
      types: [],
    },
    include: ["**/*.ts"],
    exclude: ["dist", "node_modules", "**/*_test.ts", "**/*.config.ts", "testing"],
  }),
  "vitest.config.ts": `import { espalierVitest } from "../../vitest.shared.ts"

export default espalierVitest()
`,
  "README.md": `# @espalier/${name}

One sentence that says what this package is for.

\`\`\`ts
import { mean } from "@espalier/${name}"
console.log(mean([1, 2, 3])) // 2
\`\`\`
`,
  "mod.ts": `export { mean } from "./mean.ts"
`,
  "mean.ts": `/**
 * The arithmetic mean of the values; \`NaN\` where there are none.
 *
 * @example
 * \`\`\`ts
 * import { mean } from "@espalier/${name}"
 * console.log(mean([1, 2, 3])) // 2
 * \`\`\`
 */
export const mean = (values: ReadonlyArray<number>): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length
`,
  "mean_test.ts": `import { assert, describe, it } from "@effect/vitest"
import { mean } from "./mod.ts"

describe("mean", () => {
  it("lies in the middle of a symmetric list", () => {
    assert.strictEqual(mean([1, 2, 6, 7]), 4)
  })

  it("is not a number without values", () => {
    assert.isNaN(mean([]))
  })
})
`,
})
