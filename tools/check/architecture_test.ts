import { assert, describe, it } from "vitest"
import { checkArchitecture, packageOf } from "./architecture.ts"
import { printProblem } from "./problem.ts"
import { cleanPackage, workspace } from "./testing/workspace.ts"

const problemsOf = (...parts: ReadonlyArray<Readonly<Record<string, string>>>) =>
  checkArchitecture(workspace(...parts)).map(printProblem)

const assertOne = (problems: ReadonlyArray<string>, start: string, holding: string) => {
  assert.lengthOf(problems, 1, problems.join("\n"))
  assert.isTrue(problems[0].startsWith(start), problems[0])
  assert.include(problems[0], holding)
}

const uses = (...names: ReadonlyArray<string>) => ({
  dependencies: Object.fromEntries(names.map((name) => [`@espalier/${name}`, "workspace:*"])),
})

describe("arrows", () => {
  it("accepts a clean workspace", () => {
    assert.deepStrictEqual(
      problemsOf(cleanPackage("tensor"), cleanPackage("nn", uses("tensor")), {
        "packages/nn/mod.ts": `import { one } from "@espalier/tensor"\nexport const two = one + one\n`,
      }),
      [],
    )
  })

  it.each([
    ["import", `import { one } from "@espalier/nn"\n`],
    ["import for the side effect", `import "@espalier/nn"\n`],
    ["type import", `import type { one } from "@espalier/nn"\n`],
    ["re-export", `export { one } from "@espalier/nn"\n`],
    ["re-export of everything", `export * from "@espalier/nn"\n`],
    ["dynamic import", `export const nn = () => import("@espalier/nn")\n`],
    ["import over several lines", `import {\n  one,\n} from "@espalier/nn"\n`],
  ])("refuses an %s against the arrows and says where", (_, statement) => {
    const line = 2 + statement.split("\n").findIndex((text) => text.includes("@espalier"))
    assertOne(
      problemsOf(cleanPackage("nn"), cleanPackage("tensor"), {
        "packages/tensor/mod.ts": `// @espalier/nn stands in a comment here\n${statement}`,
      }),
      `packages/tensor/mod.ts:${line}: `,
      "tensor may not import nn",
    )
  })

  it("refuses a dependency against the arrows", () => {
    const problems = problemsOf(cleanPackage("nn"), cleanPackage("tensor", uses("nn")))
    assertOne(problems, "packages/tensor/package.json:", "tensor may not import nn")
    assert.notInclude(problems[0], "package.json:1:")
  })

  it("keeps method packages apart, known to the table or not", () => {
    assertOne(
      problemsOf(cleanPackage("pruning"), cleanPackage("grafting", uses("pruning"))),
      "packages/grafting/package.json:",
      "grafting may not import pruning",
    )
  })

  it("lets runtime and evaluation be imported by every package", () => {
    assert.deepStrictEqual(
      problemsOf(
        cleanPackage("runtime"),
        cleanPackage("evaluation"),
        cleanPackage("pipeline", uses("runtime", "evaluation")),
      ),
      [],
    )
  })

  it("lets tests, but not sources, import a device", () => {
    const files = [
      cleanPackage("tensor"),
      cleanPackage("wasm", uses("tensor")),
      cleanPackage("nn", { devDependencies: { "@espalier/wasm": "workspace:*" } }),
    ]
    const text = `import { one } from "@espalier/wasm"\nexport const two = one\n`
    assert.deepStrictEqual(problemsOf(...files, { "packages/nn/step_test.ts": text }), [])
    assertOne(
      problemsOf(...files, { "packages/nn/mod.ts": text }),
      "packages/nn/mod.ts:1:",
      "a device package (wasm)",
    )
    assertOne(
      problemsOf(cleanPackage("wasm"), cleanPackage("nn", uses("wasm"))),
      "packages/nn/package.json:",
      "a device package (wasm)",
    )
  })

  it("lets an application import everything", () => {
    assert.deepStrictEqual(
      problemsOf(cleanPackage("wasm"), cleanPackage("pruning"), {
        "apps/cli/package.json": JSON.stringify({ private: true, ...uses("wasm", "pruning") }),
        "apps/cli/main.ts": `import "@espalier/wasm"\nimport "@espalier/pruning"\nimport "node:fs"\n`,
      }),
      [],
    )
  })
})

describe("imports", () => {
  it("refuses another package's inner file", () => {
    assertOne(
      problemsOf(cleanPackage("tensor"), cleanPackage("nn", uses("tensor")), {
        "packages/nn/mod.ts": `export * from "@espalier/tensor/shape.ts"\n`,
      }),
      "packages/nn/mod.ts:1:",
      "inner file",
    )
  })

  it("refuses a relative path out of the package", () => {
    assertOne(
      problemsOf(cleanPackage("tensor"), cleanPackage("nn", uses("tensor")), {
        "packages/nn/mod.ts": `export * from "../tensor/mod.ts"\n`,
      }),
      "packages/nn/mod.ts:1:",
      "leaves the package",
    )
  })

  it("refuses an absolute path", () => {
    assertOne(
      problemsOf(cleanPackage("nn"), { "packages/nn/mod.ts": `export * from "/home/me/x.ts"\n` }),
      "packages/nn/mod.ts:1:",
      "one machine only",
    )
  })

  it("refuses what package.json does not declare", () => {
    assertOne(
      problemsOf(cleanPackage("nn"), {
        "packages/nn/mod.ts": `export { parse } from "yaml"\n`,
      }),
      "packages/nn/mod.ts:1:",
      `"yaml" is not among the dependencies`,
    )
  })

  it.each(["node:fs", "fs", "node:fs/promises"])("refuses %s outside the listed files", (name) => {
    const text = `import "${name}"\nexport {}\n`
    assertOne(
      problemsOf(cleanPackage("tensor"), { "packages/tensor/mod.ts": text }),
      "packages/tensor/mod.ts:1:",
      "Node's own",
    )
    assert.deepStrictEqual(
      problemsOf(cleanPackage("tensor"), cleanPackage("pipeline"), {
        "packages/tensor/shape_test.ts": text,
        "packages/pipeline/store/process_name.ts": text,
      }),
      [],
    )
  })

  it("names the package of a specifier", () => {
    assert.strictEqual(packageOf("@espalier/tensor/kernel"), "@espalier/tensor")
    assert.strictEqual(packageOf("effect/Schema"), "effect")
  })
})

describe("packages", () => {
  it.each(["README.md", "LICENSE"])("asks for %s", (name) => {
    const { [`packages/tensor/${name}`]: _, ...rest } = cleanPackage("tensor")
    assertOne(problemsOf(rest), `packages/tensor/${name}:1:`, "is missing")
  })

  it("asks for mod.ts", () => {
    const { "packages/tensor/mod.ts": _, ...rest } = cleanPackage("tensor")
    assertOne(problemsOf(rest), "packages/tensor/mod.ts:1:", "is missing")
  })

  it.each([
    ["no title", "One sentence.\n\n```ts\n1\n```\n", "title"],
    ["no code", "# Title\n\nOne sentence.\n", "code that works"],
    ["two paragraphs", "# Title\n\nOne.\n\nTwo.\n\n```ts\n1\n```\n", "one paragraph"],
    ["a section first", "# Title\n\n## Section\n\n```ts\n1\n```\n", "one paragraph"],
  ])("refuses a README with %s", (_, text, message) => {
    assertOne(
      problemsOf(cleanPackage("tensor"), { "packages/tensor/README.md": text }),
      "packages/tensor/README.md:",
      message,
    )
  })

  it.each([
    ["effect as an ordinary dependency", { dependencies: { effect: "catalog:" } }, "ordinary"],
    ["effect missing", { peerDependencies: {} }, "peer dependency"],
    ["a range", { dependencies: { yaml: "^2.0.0" } }, "not pinned"],
    ["another Node", { engines: { node: ">=20" } }, "engines"],
    ["the source condition published", { publishConfig: {} }, "publishConfig.exports"],
    ["another licence", { license: "GPL-3.0" }, "license"],
  ])("refuses a package.json with %s", (_, more, message) => {
    assertOne(problemsOf(cleanPackage("tensor", more)), "packages/tensor/package.json:1:", message)
  })
})

describe("text", () => {
  // Put together here, for this file may not hold them either.
  it.each([
    [["@ts", "ignore"].join("-"), (word: string) => `// ${word}\n`],
    [["it", "only"].join("."), (word: string) => `${word}("x", () => {})\n`],
    [["describe", "skip"].join("."), (word: string) => `${word}("x", () => {})\n`],
    [["TO", "DO"].join(""), (word: string) => `// ${word}: later\n`],
  ])("refuses %s, in tests too", (word, textWith) => {
    assertOne(
      problemsOf(cleanPackage("tensor"), {
        "packages/tensor/a_test.ts": `export {}\n${textWith(word)}`,
      }),
      "packages/tensor/a_test.ts:2:",
      word,
    )
  })

  it("accepts a test that is skipped under a condition", () => {
    const text = `it.skipIf(noAdapter)("x", () => {})\ncontext.skip("no data folder")\n`
    assert.deepStrictEqual(
      problemsOf(cleanPackage("tensor"), { "packages/tensor/a_test.ts": text }),
      [],
    )
  })
})
