import { daySeed } from "@espalier/tensor/conformance"
import { afterAll, assert, describe, it } from "vitest"
import { findChromium, openPage } from "./open_page.ts"
import type { BrowserRun } from "./protocol.ts"

const required = process.env["ESPALIER_REQUIRE_BROWSER"] === "1"
const executable = findChromium()
if (executable === undefined && required) {
  throw new Error("no Chromium: tools/install-chromium.sh installs it")
}
if (executable === undefined) {
  console.warn("SKIPPED: no Chromium here; tools/install-chromium.sh installs it")
}

const seed = Number(process.env["ESPALIER_SEED"] ?? daySeed())
const repeat = `ESPALIER_SEED=${seed} pnpm --dir tools/conformance exec vitest run browser`

describe.skipIf(executable === undefined)("in a browser", async () => {
  if (executable === undefined) return
  const page = await openPage(executable)
  afterAll(() => page.close())

  const passes = async (options: Omit<BrowserRun, "seed" | "repeat">) => {
    const result = await page.conformance({ seed, repeat, ...options })
    if ("problem" in result) return assert.fail(result.problem)
    console.log(`Chromium ${page.version}: ${JSON.stringify(result)}`)
    assert.isTrue(result.isolated)
    assert.strictEqual(result.graphs, options.graphs)
    assert.isAbove(result.cases, 40)
    assert.strictEqual(result.leaked, 0)
    assert.isBelow(result.loss, 0.5)
    assert.deepStrictEqual(page.problems, [])
    return result
  }

  it("the conformance suite passes on wasm, with the same bits on one thread and on two", async () => {
    const alone = await passes({ device: "wasm", threads: 1, examples: 100, graphs: 100 })
    const shared = await passes({ device: "wasm", threads: 2, examples: 3, graphs: 30 })
    assert.include(shared.adapter, "2 threads")
    assert.strictEqual(shared.bits, alone.bits)
  })

  it("the conformance suite passes on WebGPU, where the browser has it", async (context) => {
    const adapter = await page.adapter()
    if (adapter === undefined && !required) {
      return context.skip("this Chromium gives out no WebGPU adapter")
    }
    await passes({ device: "webgpu", threads: 1, examples: 4, graphs: 30 })
  })
})
