import { assert, describe, it } from "@effect/vitest"
import type { Device } from "@espalier/tensor"
import { Interpreter, Program, ShapeError, Spec } from "@espalier/tensor"
import * as Wasm from "@espalier/wasm"
import { Effect } from "effect"
import type { Layer } from "effect"
import { agrees, cases, name, programs, run, sizes } from "../testing/attention.ts"
import { fusedAttention } from "./attention.ts"

const devices: ReadonlyArray<readonly [string, Layer.Layer<Device, unknown>, number]> = [
  ["the interpreter", Interpreter.layer, 1e-9],
  ["one thread", Wasm.layer({ threads: 1, poison: true }), 3e-5],
  ["two threads", Wasm.layer({ threads: 2, poison: true }), 3e-5],
  ["one thread without fused multiply-add", Wasm.layer({ threads: 1, relaxedSimd: false }), 3e-5],
]

describe("fusedAttention", () => {
  for (const own of cases) {
    it.effect(`is attention, with its gradients: ${name(own)}`, () =>
      Effect.gen(function* () {
        const made = programs(own)
        const expected = yield* Effect.provide(run(made.plain, made.inputs), Interpreter.layer)
        for (const [, layer, bound] of devices) {
          agrees(yield* Effect.provide(run(made.fused, made.inputs), layer), expected, bound)
        }
      }),
    )
  }

  it("stores nothing of the size of the scores", () => {
    const { fused } = programs(sizes(1, 512, 512, 2, 2, 8, true))
    const scores = 2 * 512 * 512
    for (const { kernel } of fused.schedule.steps) {
      for (const { length } of kernel.operands) assert.isBelow(length, scores / 4)
    }
  })

  it("refuses shapes that do not fit together", () => {
    const trace = (q: ReadonlyArray<number>, k: ReadonlyArray<number>) => () =>
      Program.make("attend", { q: Spec.f32(q), k: Spec.f32(k) }, ({ q, k }) =>
        fusedAttention(q, k, k, { causal: true }),
      )
    assert.throws(trace([1, 4, 3, 8], [1, 4, 2, 8]), ShapeError, "multiple")
    assert.throws(trace([1, 4, 2, 8], [1, 3, 2, 8]), ShapeError, "no key")
    assert.throws(trace([1, 4, 2, 8], [2, 4, 2, 8]), ShapeError, "batch")
    assert.throws(trace([4, 2, 8], [4, 2, 8]), ShapeError, "needs three")
  })
})
