import { defineConfig } from "vitest/config"

/** The one vitest configuration: tests sit beside the source and run straight from it. */
export const espalierVitest = () =>
  defineConfig({
    resolve: { conditions: ["@espalier/source", "node", "import", "module", "default"] },
    ssr: { resolve: { conditions: ["@espalier/source", "node", "import", "module", "default"] } },
    test: {
      include: ["**/*_test.ts"],
      exclude: ["**/node_modules/**", "**/dist/**"],
      // Generous, as servers start slowly on a machine with other work to do.
      testTimeout: 120_000,
      hookTimeout: 120_000,
      execArgv: ["--conditions=@espalier/source"],
    },
  })
