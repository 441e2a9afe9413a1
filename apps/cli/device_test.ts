import { assert, describe, it } from "@effect/vitest"
import type { RunRecord } from "@espalier/pipeline"
import { assertFriendly, makeFolder } from "./testing/espalier.ts"

/** Every kind of device step once, as small as can be: a software driver compiles slowly. */
const pipeline = `name: device
steps:
  text: { use: text/stories, part: training, stories: 12 }
  model: { use: model/train, text: $text, dimension: 8, hiddenDimension: 16, layers: 1, heads: 2, keyValueHeads: 1, contextLength: 16, window: 16, batch: 2, steps: 2 }
  pruned: { use: prune/wanda, model: $model, calibration: $text, sparsity: "2:4", window: 16, samples: 4 }
  ppl: { use: model/perplexity, model: $pruned, text: $text, window: 16 }
`

const run = async (
  device: string,
  env: Readonly<Record<string, string>> = {},
  steps: string = pipeline,
) => {
  const place = makeFolder("real")
  try {
    place.write("p.yaml", steps)
    const store = ["--store", place.at("store")]
    const args = ["run", "p.yaml", "--json", "--device", device, ...store]
    const ended = await place.espalier(args, { env })
    return {
      ...ended,
      document: ended.out === "" ? undefined : (JSON.parse(ended.out) as RunRecord),
    }
  } finally {
    place.remove()
  }
}

describe.concurrent("--device", () => {
  it(
    "webgpu: every device step runs there and gives what wasm gives",
    { timeout: 180_000 },
    async (context) => {
      const [webgpu, wasm] = await Promise.all([run("webgpu"), run("wasm")])
      if (webgpu.code === 3 && process.env.ESPALIER_REQUIRE_WEBGPU !== "1") {
        return context.skip(`no WebGPU adapter: ${webgpu.error.split("\n")[0]}`)
      }
      assert.strictEqual(webgpu.code, 0, webgpu.error)
      const { device, steps } = webgpu.document!
      assert.strictEqual(device.kind, "webgpu")
      assert.notStrictEqual(device.adapter, "")
      assert.isAbove(device.dispatches, 0)
      for (const [id, step] of Object.entries(steps)) {
        assert.includeMembers(["LinearAlgebra"], [...step.hostFallbacks], id)
        if (id !== "text") assert.isAbove(step.dispatches, 0, id)
      }
      const perplexity = (document: RunRecord) => Number(document.steps.ppl.metrics.perplexity)
      const [here, there] = [perplexity(webgpu.document!), perplexity(wasm.document!)]
      assert.closeTo(here / there, 1, 1e-3)
      const pruned = (document: RunRecord) => document.steps.pruned.metrics
      assert.deepStrictEqual(
        pruned(webgpu.document!).sparsity,
        pruned(wasm.document!).sparsity,
        "the same weights go",
      )
    },
  )

  it("webgpu without a driver: exit code 3, with what was looked for and what to install", async (context) => {
    if (process.platform !== "linux") return context.skip("only Linux finds its drivers by files")
    const { code, out, error } = await run("webgpu", { VK_DRIVER_FILES: "/nonexistent" })
    assert.strictEqual(code, 3, error)
    assert.strictEqual(out, "")
    assertFriendly(error)
    assert.match(error, /no WebGPU device: looked for .*webgpu.*\nhint: Install a GPU driver/)
  })

  it("auto: a hardware adapter or wasm, never a software adapter", async () => {
    const text = pipeline.split("\n").slice(0, 3).join("\n")
    const { code, error, document } = await run("auto", {}, text)
    assert.strictEqual(code, 0, error)
    const { kind, software } = document!.device
    assert.include(["wasm", "webgpu"], kind)
    assert.isFalse(software)
  })
})
