import { defineConfig } from "vitest/config"

/** The one vitest configuration: tests sit beside the source and run straight from it. */
export const espalierVitest = () =>
  defineConfig({
    resolve: { conditions: ["@espalier/source", "node", "import", "module", "default"] },
    ssr: { resolve: { conditions: ["@espalier/source", "node", "import", "module", "default"] } },
    test: {
      include: ["**/*_test.ts"],
      exclude: ["**/node_modules/**", "**/dist/**"],
      testTimeout: 60_000,
      execArgv: ["--conditions=@espalier/source"],
    },
  })
