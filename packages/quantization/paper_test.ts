import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const here = dirname(fileURLToPath(import.meta.url))

/** The line on which a name is defined at the top of a file, from 1. */
const lineOf = (text: string, name: string): number | undefined => {
  const definition = new RegExp(`^(?:export )?(?:const|class|interface|type) ${name}\\b`)
  const at = text.split("\n").findIndex((line) => definition.test(line))
  return at < 0 ? undefined : at + 1
}

for (const document of ["paper.md"]) {
  const path = join(here, document)
  const links = readFileSync(path, "utf8").matchAll(/\[`(\w+)`\]\(([^)#]+\.ts)(?:#L(\d+))?\)/g)

  describe(`the links of ${document}`, () => {
    it("lead to the functions they name, or close by", () => {
      let count = 0
      for (const [, name, file, line] of links) {
        const target = join(dirname(path), file)
        assert.isTrue(existsSync(target), file)
        const found = lineOf(readFileSync(target, "utf8"), name)
        if (found === undefined) return assert.fail(`${file} defines no ${name}`)
        // Near enough to land on it: not every edit above moves every link.
        assert.closeTo(Number(line), found, 20, `${name} is at ${file}#L${found}`)
        count++
      }
      assert.isAbove(count, 5)
    })
  })
}
