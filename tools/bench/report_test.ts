import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import type { Case } from "./case.ts"
import { pageOf, performancePage, softwareAdapter } from "./report.ts"
import type { BenchResult } from "./result.ts"
import { ownFailures, toJson } from "./result.ts"
import { judge } from "./targets.ts"
import { measured } from "./testing/outcomes.ts"

const each: Case = {
  name: "product",
  title: "a product",
  work: { amount: 0.2, unit: "GFLOP" },
  tolerance: 1e-5,
  reference: () => [],
  implementations: { ours: Effect.die("never run") },
  targets: [{ kind: "speed", than: "torch", atLeast: 2 }],
}

const ours = measured({ engine: "ours" }, [2])
const torch = measured({ engine: "torch" }, [3])
const red = {
  state: "red",
  contestant: { engine: "jax", threads: 1, title: "jax-js, 1 thread" },
  why: "value 0 is 1 | 2,\n not 3",
} as const

const outcomes = [ours, torch, red]

const result: BenchResult = {
  device: "wasm",
  quick: false,
  machine: {
    processor: "Some CPU",
    cores: 2,
    memoryBytes: 16 * 2 ** 30,
    system: "linux 6",
    node: "24.0.0",
    v8: "13",
    date: "2026-01-02",
    loadBefore: 0,
  },
  cases: [
    { case: each, outcomes, verdicts: each.targets.map((target) => judge(target, outcomes)) },
  ],
}

describe("performancePage", () => {
  const page = performancePage(result, "## Notes\n\nWhy it is so.\n")

  it("tells the machine, the targets, each contestant and the notes", () => {
    assert.include(page, "Measured on 2026-01-02: Some CPU, 2 cores, 16 GiB")
    assert.include(page, "| product | speed ≥ 2.00 × that of PyTorch | speed 1.50 × (")
    assert.include(page, "| **no** |")
    assert.include(page, "| ours | 2.00 ms | 2.00 ms – 2.00 ms | 100 GFLOP/s | 1 MiB |")
    assert.include(page, "- torch: torch 1.0")
    assert.isTrue(page.endsWith("## Notes\n\nWhy it is so.\n"))
    assert.notInclude(page, "busy")
  })

  it("keeps a table whole whatever a message holds", () => {
    assert.include(page, "| jax-js, 1 thread | red: value 0 is 1 \\| 2, not 3 |  |  |  |")
  })

  it("warns of a busy machine", () => {
    const machine = { ...result.machine, loadBefore: 1.5 }
    assert.include(performancePage({ ...result, machine }, ""), "The machine was busy")
  })
})

describe("pageOf", () => {
  it("writes no page of small sizes or of a GPU that is none", () => {
    assert.strictEqual(pageOf(result), "docs/performance.md")
    assert.isUndefined(pageOf({ ...result, quick: true }))
    const gpu = { ...result, device: "webgpu" } as const
    assert.strictEqual(pageOf(gpu), "docs/performance-gpu.md")
    const software = { ...ours, versions: `llvmpipe ${softwareAdapter}` }
    const cases = [{ ...result.cases[0], outcomes: [software] }]
    assert.isUndefined(pageOf({ ...gpu, cases }))
  })
})

describe("ownFailures", () => {
  it("names the cases in which our own engine is not measured", () => {
    assert.deepStrictEqual(ownFailures(result.cases), [])
    const wrong = { state: "red", contestant: ours.contestant, why: "wrong" } as const
    assert.deepStrictEqual(ownFailures([{ ...result.cases[0], outcomes: [wrong, torch] }]), [
      "product",
    ])
  })
})

describe("toJson", () => {
  it("holds what was measured and judged", () => {
    const { cases } = JSON.parse(toJson(result)) as { cases: Array<Record<string, unknown>> }
    assert.strictEqual(cases[0]["name"], "product")
    assert.deepStrictEqual(cases[0]["outcomes"], JSON.parse(JSON.stringify(outcomes)))
  })
})
