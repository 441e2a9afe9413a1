import { existsSync } from "node:fs"
import type { Browser, Page } from "playwright-core"
import { chromium } from "playwright-core"
import { bundlePage } from "./bundle.ts"
import type { BrowserResult, BrowserRun, PageFunctions } from "./protocol.ts"
import { serve } from "./serve.ts"

const paths = [process.env["ESPALIER_CHROMIUM"], "/usr/bin/chromium", "/usr/bin/chromium-browser"]

/** Where Chromium is, or `undefined`. */
export const findChromium = (): string | undefined =>
  paths.find((path) => path !== undefined && existsSync(path))

const flags = [
  // A container has no user namespaces to build a sandbox of; the page is our own.
  "--no-sandbox",
  "--disable-dev-shm-usage",
  // WebGPU without a GPU: the software driver that Chromium brings along.
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
  "--disable-vulkan-surface",
]

/** A page in a headless browser, with the conformance suite loaded. */
export interface OpenPage {
  readonly version: string
  /** What the page wrote to its console as an error, and what it threw. */
  readonly problems: ReadonlyArray<string>
  readonly adapter: () => Promise<string | undefined>
  readonly conformance: (run: BrowserRun) => Promise<BrowserResult | { readonly problem: string }>
  readonly close: () => Promise<void>
}

type Global = { readonly espalier: PageFunctions }

const open = async (browser: Browser, url: string): Promise<{ page: Page; problems: string[] }> => {
  const problems: Array<string> = []
  const page = await browser.newPage()
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text())
  })
  page.on("pageerror", (error) => problems.push(error.message))
  await page.goto(url)
  await page.waitForFunction(() => "espalier" in globalThis)
  return { page, problems }
}

/** Bundles, serves and opens the page. */
export const openPage = async (executablePath: string): Promise<OpenPage> => {
  const server = await serve(await bundlePage())
  const browser = await chromium.launch({ executablePath, args: flags, headless: true })
  const { page, problems } = await open(browser, server.url)
  return {
    version: browser.version(),
    problems,
    adapter: () => page.evaluate(() => (globalThis as unknown as Global).espalier.adapter()),
    conformance: (run) =>
      page.evaluate(
        (options) => (globalThis as unknown as Global).espalier.conformance(options),
        run,
      ),
    close: async () => {
      await browser.close()
      await server.close()
    },
  }
}
