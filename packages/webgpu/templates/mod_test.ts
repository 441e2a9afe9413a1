import { Ir } from "@espalier/tensor"
import { describe, expect, it } from "@effect/vitest"
import { planBindings } from "../binding_plan.ts"
import { launchOf } from "../plan/launch.ts"

import * as Kernels from "../testing/kernels.ts"
import * as Rows from "../testing/row_kernels.ts"
import { grid } from "./common.ts"
import { lowerKernel } from "./mod.ts"
import type { Strategy } from "./strategy.ts"
import { strategyFor } from "./strategy.ts"

const facts = {
  software: true,
  vendor: "mesa",
  subgroup: 0,
  maximumInvocations: 256,
  workgroupBytes: 16384,
  bindingBytes: 2 ** 27,
}

const code = (
  kernel: Ir.Kernel,
  override: Partial<Strategy> = {},
  inPlace: Ir.Schedule["inPlace"] = [],
) => {
  const strategy = { ...strategyFor(facts), ...override }
  const schedule = Ir.scheduleOf(kernel, { inPlace })
  return lowerKernel(kernel, planBindings(launchOf(schedule.steps[0]), schedule), strategy).code
}

describe("WGSL", () => {
  it("of a map", () => expect(code(Kernels.map(3, 5))).toMatchSnapshot())
  it("of a map by fours", () =>
    expect(code(Kernels.shifted(2, 4), { vectorElements: 1 })).toMatchSnapshot())
  it("of a short reduction", () => expect(code(Kernels.reduce([6], [4]))).toMatchSnapshot())
  it("of a long reduction in order", () =>
    expect(code(Kernels.orderedReduce(2, 500))).toMatchSnapshot())
  it("of a scan", () => expect(code(Kernels.scan(2, 9))).toMatchSnapshot())
  it("of a product in registers", () =>
    expect(code(Kernels.contract(1, 3, 2, 4))).toMatchSnapshot())
  it("of a product in workgroup memory", () =>
    expect(code(Kernels.contract(2, 9, 9, 20), { contract: "tiled" })).toMatchSnapshot())
  it("of a scatter", () => expect(code(Kernels.scatter(4, 3, 2, "add", false))).toMatchSnapshot())
  it("of rows by an invocation each", () => expect(code(Rows.softmax(9, 12))).toMatchSnapshot())
  it("of short rows, several a workgroup", () =>
    expect(code(Rows.softmax(9, 12), { rows: "lanes", rowLanes: 16 })).toMatchSnapshot())
  it("of long rows through subgroups", () =>
    expect(
      code(Rows.softmax(4, 300), { rows: "lanes", rowLanes: 64, subgroup: 8 }),
    ).toMatchSnapshot())
  it("of a scan by a workgroup", () =>
    expect(code(Kernels.scan(2, 90), { scan: "lanes", scanLanes: 32 })).toMatchSnapshot())
  it("of a reduction through subgroups", () =>
    expect(
      code(Kernels.reduce([2], [900]), { reduce: "lanes", reduceLanes: 64, subgroup: 8 }),
    ).toMatchSnapshot())
  it("of a scatter by lists", () =>
    expect(
      code(Kernels.scatter(99, 30, 2, "add", false), { scatter: "lists", scatterTiles: 4 }),
    ).toMatchSnapshot())
  it("of a scatter in place", () =>
    expect(
      code(Kernels.scatter(4, 3, 2, "set", true), {}, [{ output: 3, input: 2 }]),
    ).toMatchSnapshot())
})

describe("dispatches", () => {
  it("cover any number of workgroups with at most 65535 a dimension", () => {
    for (const groups of [0, 1, 65535, 65536, 131_071, 2 ** 24 + 1]) {
      const [x, y] = grid(groups)
      expect(x * y).toBeGreaterThanOrEqual(groups)
      expect(Math.max(x, y)).toBeLessThanOrEqual(65535)
    }
  })
})
