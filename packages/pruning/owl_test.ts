import { assert, describe, it } from "@effect/vitest"
import { Checkpoint, makeMemoryCheckpoints } from "@espalier/runtime"
import { Device } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { readStories, readWindows, tinyLlama, tinyWindows } from "@espalier/test-models"
import { hasData, needsData } from "@espalier/testing"
import { Effect, Schema } from "effect"
import { removedCount } from "./masks.ts"
import { outlierShare, owlBudgets, owlSparsities } from "./owl.ts"
import { prune } from "./prune.ts"
import { parseSparsity } from "./sparsity.ts"
import { wanda } from "./wanda.ts"

const wasm = wasmLayer({ poison: true, threads: 1 })
const windows = tinyWindows(7)
const between = (minimum: number, maximum: number) =>
  Schema.Finite.check(Schema.isBetween({ minimum, maximum }))

describe("outlierShare", () => {
  it("counts what is above so many times the mean of all linears of the block", () => {
    // Scores 1 2 3 4 and 2 2 2 40: the mean is 7.
    const small = { weight: [1, -1, 3, 2], squares: [1, 4] }
    const large = { weight: [2, 2, -2, -40], squares: [1, 1] }
    assert.strictEqual(outlierShare([small, large], 5), 1 / 8)
    assert.strictEqual(outlierShare([small, large], 0.5), 2 / 8)
    assert.strictEqual(outlierShare([small], 1), 2 / 4)
  })

  it("does not change with the scale of weights or inputs, and takes zeros", () => {
    const linear = { weight: [1, 5, 2, 30, 1, 1], squares: [1, 4, 2] }
    const larger = { weight: linear.weight.map((w) => 4 * w), squares: [16, 64, 32] }
    assert.strictEqual(outlierShare([larger], 2), outlierShare([linear], 2))
    assert.strictEqual(outlierShare([{ weight: [0, 0], squares: [0] }], 5), 0)
  })
})

describe("owlSparsities", () => {
  const Block = Schema.Struct({ outliers: between(0, 0.2), size: between(1, 1e6) })
  it.effect.prop(
    "are within the range, lower where there are more outliers, and right in the mean",
    [Schema.NonEmptyArray(Block), between(0, 1), between(0, 0.3)],
    ([blocks, fraction, range]) =>
      Effect.sync(() => {
        const found = owlSparsities(blocks, fraction, range)
        const size = blocks.reduce((sum, block) => sum + block.size, 0)
        const mean = blocks.reduce((sum, block, i) => sum + found[i] * block.size, 0) / size
        assert.closeTo(mean, fraction, 1e-9)
        for (const [i, sparsity] of found.entries()) {
          assert.isAtMost(Math.abs(sparsity - fraction), range + 1e-12)
          assert.isTrue(sparsity >= -1e-12 && sparsity <= 1 + 1e-12)
          for (const [j, other] of blocks.entries()) {
            if (blocks[i].outliers > other.outliers) assert.isAtMost(sparsity, found[j])
          }
        }
      }),
  )

  it("use the whole range", () => {
    const blocks = [0.01, 0.02, 0.06].map((outliers) => ({ outliers, size: 10 }))
    const found = owlSparsities(blocks, 0.7, 0.08)
    found.forEach((sparsity, i) => assert.closeTo(sparsity, [0.7533, 0.7267, 0.62][i], 1e-4))
  })

  it("are all the same where the blocks are", () => {
    const block = { outliers: 0.03, size: 7 }
    assert.deepStrictEqual(owlSparsities([block, block, block], 0.6, 0.08), [0.6, 0.6, 0.6])
  })
})

describe("owlBudgets", () => {
  it.effect("prunes as much in all as asked for, each block by its budget", () =>
    Effect.gen(function* () {
      const model = tinyLlama({ layers: 3 })
      const sparsity = parseSparsity(0.6)
      const { budgets, sparsityOf } = yield* owlBudgets(model, { sparsity, windows, threshold: 2 })
      assert.deepStrictEqual(
        budgets.map(({ block }) => block),
        [0, 1, 2],
      )
      assert.isAbove(new Set(budgets.map((budget) => budget.sparsity)).size, 1)
      const found = yield* prune(model, wanda(), { sparsity, windows, sparsityOf })
      // Wanda removes whole numbers of each row.
      for (const block of model.blocks) {
        for (const { path, shape } of block.linears) {
          const layer = found.layers.find((each) => each.layer === path)!
          const removed = removedCount(shape[1], budgets[block.index].sparsity)
          assert.strictEqual(layer.sparsity, removed / shape[1], path)
        }
      }
      assert.closeTo(found.sparsity, 0.6, 1 / 16)
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("does not depend on the batch, and leaves no checkpoint and no memory behind", () =>
    Effect.gen(function* () {
      const { statistics } = yield* Device
      const before = statistics().liveBytes
      const options = { sparsity: parseSparsity(0.5), windows, threshold: 2 }
      const checkpoints = makeMemoryCheckpoints()
      const run = (batch: number) =>
        owlBudgets(tinyLlama(), { ...options, batch }).pipe(
          Effect.scoped,
          Effect.provideService(Checkpoint, checkpoints),
        )
      const { budgets } = yield* run(7)
      assert.deepStrictEqual((yield* run(2)).budgets, budgets)
      assert.strictEqual(statistics().liveBytes, before)
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("refuses N:M", () =>
    Effect.gen(function* () {
      const options = { sparsity: parseSparsity("2:4"), windows }
      const error = yield* Effect.flip(owlBudgets(tinyLlama(), options))
      if (error._tag !== "NeedsUnstructured") return assert.fail(error.message)
      assert.include(error.message, "OWL cannot work with 2:4")
    }).pipe(Effect.provide(wasm)),
  )
})

describe.skipIf(!hasData)(`OWL on stories260K${needsData}`, () => {
  it.effect("gives every block a budget and hits the mean", () =>
    Effect.gen(function* () {
      const options = { sparsity: parseSparsity(0.7), windows: readWindows(16, "calibration") }
      const model = readStories()
      const { budgets, sparsityOf } = yield* owlBudgets(model, options)
      assert.strictEqual(budgets.length, 5)
      for (const { sparsity, outliers } of budgets) {
        assert.isTrue(sparsity >= 0.62 - 1e-12 && sparsity <= 0.78 + 1e-12)
        assert.isTrue(outliers > 0 && outliers < 0.1)
      }
      const mean = budgets.reduce((sum, { sparsity }) => sum + sparsity, 0) / 5
      assert.closeTo(mean, 0.7, 1e-9)
      const found = yield* prune(model, wanda(), { ...options, sparsityOf })
      assert.closeTo(found.sparsity, 0.7, 1 / 64)
    }).pipe(Effect.provide(wasmLayer())),
  )
})
