import { assert, describe, it } from "vitest"
import type { Measured } from "./measure.ts"
import { report } from "./report.ts"

const measured: Measured = {
  device: "wasm",
  adapter: "WebAssembly SIMD, 2 threads",
  rows: [
    { name: "add", tolerance: 3e-7, worst: 5.96e-8, problem: undefined },
    { name: "sum", tolerance: 2e-6, worst: 1e-6, problem: "sum: output 3 at 1 is 4, expected 5" },
  ],
  others: 150,
  graphs: { graphs: 1200, kernels: 8000, elements: 2000, checked: 1900, inPlace: 70 },
  wanted: 10_000,
  problems: ["sum: output 3 at 1 is 4, expected 5"],
  seconds: 130,
  graphSeconds: 60,
}

describe("the page", () => {
  const page = report([measured], {
    date: "2031-02-03",
    seed: 7,
    machine: "a machine",
    missing: ["webgpu: no driver"],
  })

  it("says when, where and with which seed", () => {
    assert.include(page, "2031-02-03 (UTC), seed 7, a machine.")
    assert.include(page, "webgpu: no driver")
  })
  it("says how many graphs fitted where not all did", () => {
    assert.include(page, "| 1,200 of 10,000, what fits in 60 s | 8,000 | 2,000 | 95.0 % | 70 |")
  })
  it("gives the worst error of each operation, and what failed", () => {
    assert.include(page, "| `add` | 3.0e-7 | 6.0e-8 |")
    assert.include(page, "| `sum` | 2.0e-6 | **fails** |")
    assert.include(page, "## Failures")
    assert.include(page, "sum: output 3 at 1 is 4, expected 5")
  })
})
