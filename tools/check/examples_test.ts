import { assert, describe, it } from "vitest"
import { exampleBlocks, examplesOf, withImports } from "./examples.ts"
import { cleanPackage, workspace } from "./testing/workspace.ts"

const vocabularies = [
  {
    module: "@espalier/tensor",
    names: new Map([
      ["add", { typeOnly: false }],
      ["Shape", { typeOnly: true }],
    ]),
  },
  {
    module: "effect",
    names: new Map(["Array", "Effect", "Record", "add"].map((name) => [name, { typeOnly: false }])),
    namespaces: true,
  },
]

describe("exampleBlocks", () => {
  it("takes code under @example only", () => {
    const comment = [
      "What it is.",
      "```ts",
      "illustration()",
      "```",
      "@example",
      "```ts",
      "one()",
      "```",
      "between",
      "```sh",
      "npm start",
      "```",
      "@returns",
      "```ts",
      "not()",
      "```",
    ].join("\n")
    assert.deepStrictEqual(
      exampleBlocks(comment).map(({ code, line }) => [code, line]),
      [["one()\n", 7]],
    )
  })
})

describe("withImports", () => {
  it("imports what a block uses, on the line of its first statement", () => {
    assert.strictEqual(
      withImports("const shape: Shape = add(1)\n", vocabularies),
      `import { add, type Shape } from "@espalier/tensor"; const shape: Shape = add(1)\n`,
    )
  })

  it("leaves a block with imports as it is", () => {
    const code = `import { add } from "@espalier/tensor"\nadd(1)\n`
    assert.strictEqual(withImports(code, vocabularies), code)
  })

  it("imports a namespace where it is used as one, and never over a global", () => {
    const code = "const r: Record<string, number> = {}\nArray.from(Effect.succeed(r))\n"
    assert.strictEqual(withImports(code, vocabularies), `import { Effect } from "effect"; ${code}`)
  })

  it("imports nothing that the block declares", () => {
    const code = "const add = 1\nconsole.log(add)\n"
    assert.strictEqual(withImports(code, vocabularies), `export {}; ${code}`)
  })
})

describe("examplesOf", () => {
  it("finds an example, its place and the names that reach mod.ts through other files", () => {
    const repository = workspace(cleanPackage("tensor"), {
      "packages/tensor/mod.ts": `export * from "./inner/add.ts"\n`,
      "packages/tensor/inner/add.ts": [
        "/**",
        " * Adds.",
        " * @example",
        " * ```ts",
        " * add(1)",
        " * ```",
        " */",
        "export const add = (a: number) => a",
      ].join("\n"),
    })
    assert.deepStrictEqual(
      examplesOf(repository).map(({ file, line, program, text }) => ({
        file,
        line,
        program,
        text,
      })),
      [
        {
          file: "packages/tensor/inner/add.ts",
          line: 5,
          program: "packages/tensor/.examples/inner__add_5.ts",
          text: `import { add } from "@espalier/tensor"; add(1)\n`,
        },
      ],
    )
  })
})
