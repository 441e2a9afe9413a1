import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { stepsAsMarkdown } from "./command_line/steps_command.ts"
import { steps } from "./steps/mod.ts"

describe("README.md", () => {
  it("lists the steps as they are", () => {
    const readme = readFileSync(new URL("README.md", import.meta.url), "utf8")
    const listed = /<!-- steps -->\n([^]*)<!-- end of steps -->/.exec(readme)?.[1]
    assert.strictEqual(
      listed?.trim(),
      stepsAsMarkdown(steps).trim(),
      "put what `npm start --silent -- steps --markdown` prints between the marks",
    )
  })
})
