import { assert, describe, it } from "@effect/vitest"
import { HostArray } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { tinyLlama, toHost } from "@espalier/test-models"
import { draw } from "@espalier/testing"
import { Effect, Schema } from "effect"
import type { LoraAdapter } from "./merge_lora.ts"
import { measurePlainMerge, mergeLora, mergeLoraWeight } from "./merge_lora.ts"
import { magnitude } from "./magnitude.ts"
import { prune } from "./prune.ts"
import { countSparsity } from "./report.ts"
import { parseSparsity } from "./sparsity.ts"

const wasm = wasmLayer({ poison: true, threads: 1 })
const adapterOf = (outputs: number, inputs: number, rank: number, seed: number): LoraAdapter => ({
  a: toHost(draw(rank, inputs, seed)),
  b: toHost(draw(outputs, rank, seed + 1)),
  scale: 0.25,
})
const pruned = Effect.map(
  prune(tinyLlama(), magnitude(), { sparsity: parseSparsity("2:4") }),
  ({ model }) => model,
)

describe("mergeLoraWeight", () => {
  it.effect.prop(
    "is (W + scale · B · A) where W is not 0, and the very same zero elsewhere",
    [Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1e6 }))],
    ([seed]) =>
      Effect.sync(() => {
        const zeros = [0, -0]
        const weight = draw(5, 8, seed).map((row) =>
          row.map((w, i) => (Math.abs(w) < 0.5 ? zeros[i % 2] : w)),
        )
        const { a, b, scale } = adapterOf(5, 8, 3, seed + 1)
        const { weight: found, report } = mergeLoraWeight("x", toHost(weight), { a, b, scale })
        let [all, lost, count] = [0, 0, 0]
        for (const [o, row] of weight.entries()) {
          for (const [i, w] of row.entries()) {
            const update =
              scale * [0, 1, 2].reduce((s, r) => s + b.data[o * 3 + r] * a.data[r * 8 + i], 0)
            all += update ** 2
            const value = found.data[o * 8 + i]
            if (w === 0) {
              assert.isTrue(Object.is(value, w))
              lost += update ** 2
              count++
            } else assert.closeTo(value, w + update, 1e-6)
          }
        }
        assert.strictEqual(report.zeros, count)
        assert.closeTo(report.lost, lost / all, 1e-9)
      }),
  )

  it("changes nothing with an adapter of zeros, and loses nothing", () => {
    const weight = toHost(draw(4, 4, 1))
    const adapter = { ...adapterOf(4, 4, 2, 2), b: HostArray.zeros([4, 2]) }
    const merged = mergeLoraWeight("x", weight, adapter)
    assert.deepStrictEqual(merged.weight, weight)
    assert.strictEqual(merged.report.lost, 0)
  })

  it("loses all of an update where every weight is 0, none where no weight is", () => {
    const adapter = adapterOf(4, 4, 2, 3)
    assert.strictEqual(mergeLoraWeight("x", HostArray.zeros([4, 4]), adapter).report.lost, 1)
    assert.strictEqual(mergeLoraWeight("x", toHost(draw(4, 4, 4)), adapter).report.lost, 0)
  })
})

describe("mergeLora", () => {
  it.effect("keeps a pruned model pruned, where a plain merge would not", () =>
    Effect.gen(function* () {
      const model = yield* pruned
      const adapters = Object.fromEntries(
        model.blocks.flatMap(({ linears }) =>
          linears.map(({ path, shape }, i) => [path, adapterOf(...shape, 2, i)]),
        ),
      )
      const merged = yield* mergeLora(model, adapters)
      assert.strictEqual(countSparsity(merged.model).sparsity, 0.5)
      assert.strictEqual(merged.layers.length, 14)
      for (const { lost, zeros, size } of merged.layers) {
        assert.isTrue(lost > 0.3 && lost < 0.7)
        assert.strictEqual(zeros, size / 2)
      }
      assert.deepStrictEqual(measurePlainMerge(merged.layers), { sparsity: 0.5, merged: 0 })
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("touches no linear without an adapter, and not the model it is given", () =>
    Effect.gen(function* () {
      const model = yield* pruned
      const before = structuredClone(model.parameters)
      const merged = yield* mergeLora(model, { "blocks.1.key": adapterOf(8, 16, 2, 1) })
      assert.deepStrictEqual(model.parameters, before)
      for (const block of model.blocks) {
        const [old, now] = [block.parameters(before), block.parameters(merged.model.parameters)]
        for (const name of Object.keys(old)) {
          const same = block.index !== 1 || name !== "key"
          if (same) assert.deepStrictEqual(now[name], old[name], name)
          else assert.notDeepEqual(now[name], old[name])
        }
      }
      // A plain merge takes the zeros of all linears that have an adapter, not of the others.
      const { sparsity, merged: plain } = measurePlainMerge(merged.layers)
      assert.deepStrictEqual([sparsity, plain], [0.5, 0])
      assert.deepStrictEqual(measurePlainMerge([]), { sparsity: 0, merged: 0 })
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("refuses what does not fit, by name", () =>
    Effect.gen(function* () {
      const model = tinyLlama()
      const merge = (path: string, adapter: LoraAdapter) =>
        Effect.flip(mergeLora(model, { [path]: adapter }))
      const fitting = adapterOf(16, 16, 2, 1)
      const wrong = yield* merge("blocks.0.query", { ...fitting, a: toHost(draw(2, 24, 2)) })
      if (wrong._tag !== "LoraShapeMismatch") return assert.fail(wrong.message)
      assert.deepStrictEqual([wrong.layer, wrong.a], ["blocks.0.query", [2, 24]])
      assert.include(
        wrong.message,
        "B [16, 2] · A [2, 24] is no update of blocks.0.query, [16, 16]",
      )
      for (const adapter of [
        { ...fitting, b: toHost(draw(16, 3, 2)) },
        { ...fitting, a: HostArray.zeros([32]) },
      ]) {
        const error = yield* merge("blocks.0.query", adapter)
        assert.strictEqual(error._tag, "LoraShapeMismatch")
      }
      const unknown = yield* merge("blocks.7.query", fitting)
      if (unknown._tag !== "UnknownLinear") return assert.fail(unknown.message)
      assert.include(unknown.message, "no linear blocks.7.query. It has blocks.0.query")
      const broken = { ...fitting, b: HostArray.make([16, 2], Array(32).fill(NaN)) }
      const error = yield* merge("blocks.0.query", broken)
      if (error._tag !== "NonFiniteValues") return assert.fail(error.message)
      assert.strictEqual(error.tensor, "blocks.0.query.b")
    }),
  )
})
