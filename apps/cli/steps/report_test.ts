import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { reportTable } from "./report.ts"

const run = (columns: ReadonlyArray<string>, rows: Readonly<Record<string, unknown>>) =>
  reportTable.execute({
    id: "summary",
    config: { columns },
    inputs: { rows: Object.entries(rows).map(([name, value]) => ({ name, value })) },
    seed: 0,
    paths: {},
  })

describe("report/table", () => {
  const rows = {
    floor: { perplexity: 2.5 },
    "Wanda 2:4": { perplexity: 68.2310123, sparsity: { overall: 0.5, layers: {} } },
    lost: { perplexity: "Infinity", sparsity: { overall: 0 } },
  }

  it.effect("sets metrics side by side, as figures and as Markdown", () =>
    Effect.gen(function* () {
      const { metrics, files } = yield* run(["perplexity", "sparsity"], rows)
      assert.deepStrictEqual(metrics.table, {
        floor: { perplexity: 2.5, sparsity: null },
        "Wanda 2:4": { perplexity: 68.2310123, sparsity: 0.5 },
        lost: { perplexity: "Infinity", sparsity: 0 },
      })
      assert.strictEqual(
        files["table.md"],
        `|  | perplexity | sparsity |
| --- | ---: | ---: |
| floor | 2.5000 |  |
| Wanda 2:4 | 68.231 | 0.50000 |
| lost | Infinity | 0 |
`,
      )
    }),
  )

  it.effect("refuses a metric that no row has", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(run(["perplexty"], rows))
      assert.strictEqual(error._tag, "MetricMissing")
      assert.match(error.hint ?? "", /did you mean "perplexity"/)
    }),
  )
})
