import { fileURLToPath } from "node:url"
import { rolldown } from "rolldown"

const bundle = async (file: string): Promise<string> => {
  const made = await rolldown({
    input: fileURLToPath(new URL(file, import.meta.url)),
    platform: "browser",
    resolve: { conditionNames: ["@espalier/source", "browser", "import", "module", "default"] },
    logLevel: "silent",
  })
  const { output } = await made.generate({ format: "esm", codeSplitting: false })
  await made.close()
  return output[0].code
}

/**
 * The scripts by their paths, each with everything it needs, as an application would bundle them:
 * the page's own, and the one that the wasm device starts its workers with.
 */
export const bundlePage = async (): Promise<Readonly<Record<string, string>>> => ({
  "/page.js": await bundle("page.ts"),
  "/browser_worker.js": await bundle("../../../packages/wasm/browser_worker.ts"),
})
