import { defineConfig } from "vitest/config"

/** `pnpm run dev`: the tests of every package in one process that watches the sources. */
export default defineConfig({
  test: { projects: ["packages/*", "apps/*", "tools/*/vitest.config.ts"] },
})
