import { defineConfig } from "vitest/config"
import { BaseSequencer } from "vitest/node"
import type { TestSpecification } from "vitest/node"

/** Who edits wants a word soon: packages first, the command line's child processes last. */
class QuickFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const order = ["/packages/", "/tools/", "/apps/"]
    const rank = (file: TestSpecification) =>
      order.findIndex((part) => file.moduleId.includes(part))
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

/**
 * `pnpm run dev`: the tests of every package in one process that watches the sources. Begins with
 * what uncommitted changes affect, then follows the edits.
 */
export default defineConfig({
  test: {
    projects: ["packages/*", "apps/*", "tools/*/vitest.config.ts"],
    sequence: { sequencer: QuickFirst },
    passWithNoTests: true,
  },
})
