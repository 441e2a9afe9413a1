import { assert, describe, it } from "vitest"
import { checkPaperLinks } from "./paper_links.ts"
import { printProblem } from "./problem.ts"
import { cleanPackage, workspace } from "./testing/workspace.ts"

const problemsOf = (paper: string) =>
  checkPaperLinks(
    workspace(cleanPackage("pruning"), {
      "packages/pruning/paper.md": paper,
      "packages/pruning/wanda.ts": `// ${"\n// ".repeat(40)}\nexport const wanda = 1\n`,
    }),
  ).map(printProblem)

describe("links of papers", () => {
  it("may be some lines off", () => {
    assert.deepStrictEqual(problemsOf("# Wanda\n\nSee [`wanda`](wanda.ts#L30).\n"), [])
  })

  it.each([
    ["a line far off", "[`wanda`](wanda.ts#L3)", "wanda is at packages/pruning/wanda.ts#L42"],
    ["no line", "[`wanda`](wanda.ts)", "wanda is at packages/pruning/wanda.ts#L42"],
    ["another name", "[`wnada`](wanda.ts#L42)", "packages/pruning/wanda.ts defines no wnada"],
    ["another file", "[`wanda`](../nn/wanda.ts#L42)", "there is no packages/nn/wanda.ts"],
  ])("are refused with %s", (_, paper, why) => {
    const [problem, ...others] = problemsOf(`# Wanda\n\nSee ${paper}.\n`)
    assert.lengthOf(others, 0)
    assert.isTrue(problem.startsWith(`packages/pruning/paper.md:3: ${why}`), problem)
  })
})
