import { assert, describe, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { makeFolder } from "../testing/espalier.ts"
import { makeRandomNumbers } from "../random_numbers.ts"

/** `ESPALIER_KILLS=50` for the whole of it. */
const kills = Number(process.env["ESPALIER_KILLS"] ?? 8)

const pipeline = `name: demo
steps:
  train: { use: text/stories, part: training, stories: 300 }
  other: { use: text/stories, part: evaluation, stories: 30 }
  model: { use: model/train, text: $train, dimension: 16, hiddenDimension: 32, layers: 2, heads: 2, keyValueHeads: 1, contextLength: 32, window: 32, batch: 4, steps: 60 }
  pruned: { use: prune/wanda, matrix: { sparsity: [0.3, 0.5, 0.7] }, model: $model, calibration: $other, window: 32, samples: 8 }
  perplexity: { use: model/perplexity, model: $pruned, text: $other, window: 32 }
  summary: { use: report/table, rows: { wanda: $perplexity } }
`

interface Manifest {
  readonly status: string
  readonly steps: Readonly<
    Record<string, { readonly key: string; readonly outputs: unknown; readonly metrics: object }>
  >
}

/** What a run gave, but for what it took. */
const resultsOf = (folder: string) => {
  const manifest = JSON.parse(readFileSync(`${folder}/manifest.json`, "utf8")) as Manifest
  assert.strictEqual(manifest.status, "done")
  return Object.fromEntries(
    Object.entries(manifest.steps).map(([id, { key, outputs, metrics }]) => {
      const { seconds: _, peakMemory: __, ...measured } = metrics as Record<string, unknown>
      return [id, { key, outputs, measured }]
    }),
  )
}

describe("a run that is killed again and again", () => {
  it(
    `${kills} times, at random moments, ends with the same bytes, and no run is lost`,
    async () => {
      const place = makeFolder("real")
      try {
        place.write("demo.yaml", pipeline)
        const run = ["run", "demo.yaml", "--device", "wasm", "--jobs", "2"]
        const whole = await place.espalier([...run, "--store", "whole", "--out", "whole-out"])
        assert.strictEqual(whole.code, 0, whole.error)
        const expected = resultsOf(place.at("whole-out"))
        const random = makeRandomNumbers(11)
        let killed = 0
        for (let round = 0; killed < kills; round++) {
          const store = ["--store", `store-${round}`]
          let done = 0
          for (let attempt = 0; done === 0; attempt++) {
            // From before it has begun to about when it ends; in the end it may.
            const deadline = Date.now() + 300 + 2200 * random()
            const mayEnd = killed >= kills || attempt > 10
            const ended = await place.espalier([...run, ...store, "--out", `out-${round}`], {
              killWhen: () => !mayEnd && Date.now() > deadline,
            })
            if (ended.code === null) killed++
            else done++
            assert.isTrue(ended.code === null || ended.code === 0, ended.error)
          }
          assert.deepStrictEqual(resultsOf(place.at(`out-${round}`)), expected)
          const listed = await place.espalier(["ls", ...store, "--json"])
          const runs = JSON.parse(listed.out) as ReadonlyArray<{ run: string; status: string }>
          assert.strictEqual(runs[0].status, "done")
          // Those that were killed before they had begun have no name.
          for (const { status } of runs.slice(1)) assert.strictEqual(status, "killed")
          assert.deepStrictEqual(readdirSync(place.at(`store-${round}`, "temporary")), [])
          const status = await place.espalier(["status", ...store])
          assert.match(status.out, /: done, 10 of 10 steps ended/)
        }
        assert.isAtLeast(killed, kills)
      } finally {
        place.remove()
      }
    },
    kills * 8_000 + 60_000,
  )

  it("goes on as it was asked for", async () => {
    const place = makeFolder("real")
    try {
      place.write("demo.yaml", pipeline)
      const hasBegun = (): boolean =>
        existsSync(place.at("store", "runs")) &&
        readdirSync(place.at("store", "runs")).some((run) => {
          const log = place.at("store", "runs", run, "events.jsonl")
          return existsSync(log) && readFileSync(log, "utf8").includes('"StepProgress"')
        })
      const asked = ["--set", "steps.model.steps=4000", "--only", "pruned", "--store", "store"]
      const killed = await place.espalier(["run", "demo.yaml", "--device", "wasm", ...asked], {
        killWhen: hasBegun,
      })
      assert.isNull(killed.code, killed.error)
      const told = await place.espalier(["status", "--store", "store"])
      assert.match(told.out, /: killed, \d of 6 steps ended/, told.out)
      assert.match(told.out, /model +broken off/)
      assert.match(told.out, /espalier resume \d{8}-\d{6}-\w{4} goes on/)
      const resumed = await place.espalier(["resume", "--store", "store", "--json"])
      assert.strictEqual(resumed.code, 0, resumed.error)
      const record = JSON.parse(resumed.out) as {
        readonly steps: Readonly<Record<string, { readonly metrics: { readonly steps?: number } }>>
      }
      assert.strictEqual(record.steps["model"].metrics.steps, 4000)
      assert.lengthOf(Object.keys(record.steps), 6)
      const missing = await place.espalier(["resume", "2020", "--store", "store"])
      assert.strictEqual(missing.code, 2)
      assert.match(missing.error, /there is no run 2020/)
    } finally {
      place.remove()
    }
  }, 120_000)
})
