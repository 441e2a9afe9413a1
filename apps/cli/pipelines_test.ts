import { NodeServices } from "@effect/platform-node"
import { assert, describe, it, layer } from "@effect/vitest"
import { loadPipeline, type RunRecord } from "@espalier/pipeline"
import { dataFolder, withoutData } from "@espalier/testing"
import { Effect, FileSystem, Path } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { steps } from "./steps/mod.ts"
import { assertFriendly, makeFolder } from "./testing/espalier.ts"

const folder = fileURLToPath(new URL("../../pipelines", import.meta.url))
const files = readdirSync(folder).filter((name) => /\.(yaml|ts)$/.test(name))

describe("pipelines/prune-stories.yaml", () => {
  it("prunes stories260K as the independent implementation did", async (context) => {
    if (withoutData !== undefined) return context.skip(withoutData)
    const place = makeFolder("real")
    try {
      const file = `${folder}/prune-stories.yaml`
      const common = ["--json", "--device", "wasm", "--data", dataFolder]
      const run = (...args: ReadonlyArray<string>) =>
        place.espalier(["run", file, ...common, "--store", place.at("store"), ...args])
      const { code, out, error } = await run()
      assert.strictEqual(code, 0, error)
      const { steps } = JSON.parse(out) as RunRecord
      // Perplexities of an independent PyTorch implementation of the same protocol.
      const expected: ReadonlyArray<readonly [string, number, number]> = [
        ["dense", 4.8265, 1e-3],
        ["magnitude-50-perplexity", 47.9112, 1e-2],
        ["magnitude-2-4-perplexity", 121.8289, 1e-2],
        ["wanda-50-perplexity", 22.0049, 1e-2],
        ["wanda-2-4-perplexity", 68.231, 1e-2],
        ["sparsegpt-50-perplexity", 21.5459, 1e-2],
        ["sparsegpt-2-4-perplexity", 37.6087, 1e-2],
      ]
      for (const [id, perplexity, tolerance] of expected) {
        assert.closeTo(Number(steps[id].metrics.perplexity) / perplexity, 1, tolerance, id)
      }
      const found = (id: string) => Number(steps[`${id}-perplexity`].metrics.perplexity)
      assert.isAtMost(found("refit-wanda"), 33)
      assert.isAtMost(found("refit-sparsegpt"), 28.5)
      assert.isAtMost(found("sds-sparsegpt"), 26.6)
      for (const mask of ["wanda", "sparsegpt"]) {
        assert.isAtMost(found(`sds-${mask}`), 0.95 * found(`refit-${mask}`), mask)
      }
      assert.isAtMost(found("admm"), 26)
      const uneven = await run("--set", "steps.wanda-2-4.sparsity=4:8")
      assert.strictEqual(uneven.code, 2)
      assertFriendly(uneven.error)
      assert.match(uneven.error, /step wanda-2-4: blocks\.0\.down has 172 inputs/)
      const after = JSON.parse(uneven.out) as RunRecord
      assert.strictEqual(after.steps["wanda-50-perplexity"].status, "cached")
    } finally {
      place.remove()
    }
  })
})

describe("pipelines/misinformation.yaml", () => {
  it("labels claims as its page says", { timeout: 240_000 }, async (context) => {
    if (withoutData !== undefined) return context.skip(withoutData)
    const place = makeFolder("real")
    try {
      // Explanations and temperature take minutes, and change no label.
      const short = ["--set", "steps.detector.steps=1", "--set", "steps.detector.innerFolds=0"]
      const only = ["--only", "detector-figures", "--only", "lead-figures"]
      const where = ["--device", "wasm", "--data", dataFolder, "--store", place.at("store")]
      const run = ["run", `${folder}/misinformation.yaml`, "--json"]
      const { code, out, error } = await place.espalier([...run, ...short, ...only, ...where])
      assert.strictEqual(code, 0, error)
      const { steps } = JSON.parse(out) as RunRecord
      assert.strictEqual(steps.items.metrics.nearDuplicatePairs, 40)
      const figure = (id: string, name: string) =>
        (steps[id].metrics[name] as { readonly overall: number }).overall
      assert.closeTo(figure("detector-figures", "microF1"), 0.727, 0.008)
      assert.closeTo(figure("detector-figures", "macroF1"), 0.675, 0.008)
      assert.closeTo(figure("lead-figures", "microF1"), 0.46, 1e-3)
      assert.closeTo(figure("lead-figures", "rouge1"), 0.521, 1e-3)
    } finally {
      place.remove()
    }
  })
})

describe("pipelines/quantize-stories.yaml", () => {
  it(
    "quantises stories260K as the independent implementation did",
    { timeout: 240_000 },
    async (context) => {
      if (withoutData !== undefined) return context.skip(withoutData)
      const place = makeFolder("real")
      try {
        const file = `${folder}/quantize-stories.yaml`
        const common = ["--json", "--device", "wasm", "--data", dataFolder]
        // Training takes minutes, and is measured where it is implemented.
        const trained = [
          "dl-qat-3",
          "dl-qat-2",
          "magnitudes-3",
          "low-rank-3",
          "qlora-3",
          "qa-lora-3",
        ]
        const briefly = trained.flatMap((id) => ["--set", `steps.${id}.steps=1`])
        const store = ["--store", place.at("store")]
        const { code, out, error } = await place.espalier([
          "run",
          file,
          ...common,
          ...briefly,
          ...store,
        ])
        assert.strictEqual(code, 0, error)
        const { steps } = JSON.parse(out) as RunRecord
        const found = (id: string) => Number(steps[`${id}-perplexity`].metrics.perplexity)
        // Perplexities of an independent PyTorch implementation of the same protocol.
        const expected: ReadonlyArray<readonly [string, number]> = [
          ["rtn-8", 4.8307],
          ["rtn-4", 5.4076],
          ["rtn-3", 12.7251],
          ["gptq-4", 5.2006],
          ["gptq-3", 8.2896],
        ]
        for (const [id, perplexity] of expected) {
          assert.closeTo(found(id) / perplexity, 1, 1e-2, id)
        }
        assert.isBelow(found("gptq-mse-3"), found("gptq-3"))
        assert.isBelow(found("gptq-mse-2"), found("gptq-2"))
        // 16 bits of scale and 3 of zero point for rows of 64, and of 172 in one matrix of seven.
        assert.closeTo(Number(steps["rtn-3-perplexity"].metrics.bitsPerWeight), 3.2516, 1e-4)
        for (const id of trained) {
          assert.isAtMost(Number(steps[id].metrics.trainedShare), 0.08, id)
        }
      } finally {
        place.remove()
      }
    },
  )
})

layer(NodeServices.layer)("the ready-made pipelines", (it) => {
  it.effect("are all there", () =>
    Effect.sync(() => assert.includeMembers(files, ["demo.yaml", "prune-stories.yaml"])),
  )

  for (const name of files) {
    it.effect(`${name} passes every check`, () =>
      Effect.gen(function* () {
        const fileSystem = yield* FileSystem.FileSystem
        const path = yield* Path.Path
        const file = path.join(folder, name)
        // A data folder that has every file the pipeline names, so that this runs without data.
        const data = yield* fileSystem.makeTempDirectoryScoped({ prefix: "espalier-data-" })
        for (const [, named] of readFileSync(file, "utf8").matchAll(/data:([\w./-]+)/g)) {
          yield* fileSystem.makeDirectory(path.dirname(path.join(data, named)), { recursive: true })
          yield* fileSystem.writeFileString(path.join(data, named), "")
        }
        const pipeline = yield* loadPipeline(file, { steps, data: { flag: data } })
        assert.strictEqual(pipeline.name, name.replace(/\.\w+$/, ""))
      }),
    )
  }

  it.effect("the demo shows floor, dense and pruned models side by side and needs no data", () =>
    Effect.gen(function* () {
      const pipeline = yield* loadPipeline(`${folder}/demo.yaml`, { steps })
      const summary = pipeline.steps.find(({ id }) => id === "summary")
      assert.deepStrictEqual(
        summary?.inputs.rows.map((row) => row.name),
        ["floor", "dense", "magnitude 50 %", "magnitude 2:4", "Wanda 50 %", "Wanda 2:4"],
      )
      assert.deepStrictEqual(summary?.config, { columns: ["perplexity", "sparsity"] })
    }),
  )
})
