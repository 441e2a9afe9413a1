/// <reference lib="dom" />
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { Page } from "playwright-core"
import { chromium } from "playwright-core"
import { afterAll, assert, describe, it } from "vitest"
import { renderHtml } from "./mod.ts"
import { leastContrast } from "./testing/contrast.ts"
import { failedManifest, fullManifest, hostileManifest, runOf } from "./testing/manifests.ts"

const executablePath = [
  process.env["ESPALIER_CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
].find((path) => path !== undefined && existsSync(path))
if (executablePath === undefined) {
  const words = "no Chromium: tools/install-chromium.sh installs it"
  if (process.env["ESPALIER_REQUIRE_BROWSER"] === "1") throw new Error(words)
  console.warn(`SKIPPED: ${words}`)
}

const reports = {
  full: [fullManifest()],
  compared: [fullManifest(), fullManifest({ run: "other", seed: 8 }), failedManifest()],
  hostile: [hostileManifest()],
}

describe.skipIf(executablePath === undefined)("in a browser", async () => {
  if (executablePath === undefined) return
  const folder = mkdtempSync(join(tmpdir(), "espalier-report-"))
  // A container has no user namespaces to build a sandbox of; the page is our own.
  const args = ["--no-sandbox", "--disable-dev-shm-usage"]
  const browser = await chromium.launch({ executablePath, args })
  afterAll(async () => {
    await browser.close()
    rmSync(folder, { recursive: true })
  })

  /** Opens a report and every part of it that is folded away; gives what it said and asked for. */
  const open = async (name: keyof typeof reports) => {
    const file = join(folder, `${name}.html`)
    writeFileSync(file, renderHtml(reports[name].map(runOf)))
    const page = await browser.newPage()
    const said: Array<string> = []
    const asked: Array<string> = []
    page.on("console", (message) => said.push(message.text()))
    page.on("pageerror", (error) => said.push(error.message))
    page.on("dialog", (dialog) => {
      said.push(dialog.message())
      void dialog.dismiss()
    })
    page.on("request", (request) => asked.push(request.url()))
    const url = pathToFileURL(file).href
    await page.goto(url)
    await page.evaluate(() => {
      for (const details of document.querySelectorAll("details")) details.open = true
    })
    return { page, said, asked, url }
  }

  /** How far the page reaches beyond its window, and what does. */
  const overflow = (page: Page) =>
    page.evaluate(() => {
      const width = document.documentElement.clientWidth
      const wide = [...document.querySelectorAll("header *, nav *, section *, footer *")].filter(
        (element) =>
          element.getBoundingClientRect().right > width + 1 &&
          element.closest(".scroll, pre") === null,
      )
      return {
        beyond: document.documentElement.scrollWidth - width,
        wide: wide.map(({ tagName, textContent }) => `${tagName} ${textContent.slice(0, 60)}`),
      }
    })

  /** The boxes of the charts that can be seen. */
  const charts = (page: Page) =>
    page.evaluate(() =>
      [...document.querySelectorAll("svg[role=img]")]
        .map((svg) => {
          const { width, height } = svg.getBoundingClientRect()
          const drawn = (svg as SVGSVGElement).getBBox()
          const box = (svg as SVGSVGElement).viewBox.baseVal
          const inside =
            drawn.x >= box.x - 1 &&
            drawn.y >= box.y - 1 &&
            drawn.x + drawn.width <= box.x + box.width + 1 &&
            drawn.y + drawn.height <= box.y + box.height + 1
          return { label: svg.getAttribute("aria-label"), width, height, inside }
        })
        .filter(({ width }) => width > 0),
    )

  for (const name of ["full", "compared", "hostile"] as const) {
    it(`the ${name} report renders at each width and in each scheme, and loads nothing`, async () => {
      const { page, said, asked, url } = await open(name)
      for (const width of [400, 1280]) {
        await page.setViewportSize({ width, height: 900 })
        assert.deepStrictEqual(await overflow(page), { beyond: 0, wide: [] })
        const seen = await charts(page)
        assert.isAtLeast(seen.length, 7)
        for (const { label, width: wide, height, inside } of seen) {
          assert.isAbove(wide, 200, label ?? "")
          assert.isAbove(height, 60, label ?? "")
          assert.isTrue(inside, `${label} is cut off at ${width}`)
        }
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme })
          const { contrast, text } = await page.evaluate(leastContrast)
          assert.isAtLeast(contrast, 4.5, `${colorScheme}: ${text}`)
        }
      }
      assert.deepStrictEqual(said, [])
      assert.deepStrictEqual(asked, [url])
      await page.close()
    })
  }

  it("the reader's scheme decides the colours", async () => {
    const { page } = await open("full")
    const colours = async (colorScheme: "light" | "dark") => {
      await page.emulateMedia({ colorScheme })
      return page.evaluate(() => ({
        page: getComputedStyle(document.body).backgroundColor,
        bar: getComputedStyle(document.querySelector("#costs svg path[fill]")!).fill,
      }))
    }
    const [light, dark] = [await colours("light"), await colours("dark")]
    assert.notStrictEqual(light.page, dark.page)
    assert.notStrictEqual(light.bar, dark.bar)
    assert.match(dark.bar, /^rgb\(/)
    await page.close()
  })
})
