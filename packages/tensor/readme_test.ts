import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { operations } from "./ops/table.ts"

const path = new URL("README.md", import.meta.url)

/** The op table as Markdown, one row an operation. */
const table = (): string => {
  const rows = operations.map(({ name, arity, summary, gradient }) => {
    const inputs = arity === "variadic" ? "any" : arity
    const text = summary.replaceAll("|", "\\|")
    return `| \`${name}\` | ${inputs} | ${text} | ${gradient === null ? "–" : "yes"} |`
  })
  return ["| Operation | Inputs | Meaning | Gradient |", "|---|---|---|---|", ...rows].join("\n")
}

describe("README.md", () => {
  it("lists the op table (vitest run -u readme_test.ts writes it)", async () => {
    const text = readFileSync(path, "utf8")
    const section = /(<!-- operations -->\n)[\s\S]*(<!-- \/operations -->)/
    expect(text).toMatch(section)
    await expect(
      text.replace(section, (_, open, close) => `${open}${table()}\n${close}`),
    ).toMatchFileSnapshot("README.md")
  })
})
