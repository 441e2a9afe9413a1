import { assert, describe, it } from "@effect/vitest"
import type { RunRecord, StepRecord } from "@espalier/pipeline"
import { resultText } from "./result_text.ts"

const step = (record: Partial<StepRecord>): StepRecord => ({
  use: "a/b",
  status: "done",
  seconds: 1.25,
  metrics: {},
  dispatches: 0,
  hostFallbacks: [],
  notices: [],
  ...record,
})

const runOf = (steps: Readonly<Record<string, StepRecord>>): RunRecord => ({
  run: "r",
  name: "n",
  status: "done",
  device: { kind: "wasm", adapter: "none", software: false, dispatches: 0 },
  steps,
})

describe("resultText", () => {
  it("tells a step a line, what matters first, and then the tables", () => {
    const sparsity = { overall: 0.5, layers: { "blocks.0.query": 0.5 } }
    const text = resultText(
      runOf({
        dense: step({ metrics: { tokens: 33024, windows: 129, a: 1, b: 2, perplexity: 4.82651 } }),
        pruned: step({ status: "cached", seconds: 0, metrics: { windows: 64, sparsity } }),
        bad: step({ status: "failed", error: { tag: "E", message: "too narrow\nby far" } }),
        after: step({ status: "skipped", seconds: 0, reason: "needs bad" }),
        summary: step({ metrics: { table: { dense: { perplexity: 4.82651, sparsity: null } } } }),
      }),
    )
    assert.strictEqual(
      text,
      `step     status   seconds  measured
───────  ───────  ───────  ─────────────────────────────────────────────────
dense    done         1.3  perplexity 4.8265, tokens 33024, windows 129, a 1
pruned   cached       0.0  sparsity 0.50000, windows 64
bad      failed       1.3  too narrow
after    skipped      0.0  needs bad
summary  done         1.3

summary

       perplexity  sparsity
─────  ──────────  ────────
dense      4.8265

device: wasm, none`,
    )
  })
})
