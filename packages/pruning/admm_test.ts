import { assert, describe, it } from "@effect/vitest"
import { Interpreter } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { readStories, readWindows } from "@espalier/test-models"
import { correlatedTokens, differenceOf, draw, hasData, needsData, rowsOf } from "@espalier/testing"
import { Effect } from "effect"
import type { AdmmOptions } from "./admm.ts"
import { admm } from "./admm.ts"
import { maskedLeastSquares } from "./masked_least_squares.ts"
import * as Naive from "./naive/mod.ts"
import { prune } from "./prune.ts"
import { sparseGpt } from "./sparsegpt.ts"
import { parseSparsity } from "./sparsity.ts"
import { pruneLayer, zerosOf } from "./testing/layers.ts"
import { wanda } from "./wanda.ts"

const wasm = wasmLayer({ poison: true, threads: 1 })
const sparsities = ["2:4", "1:4", 0.5, 0.7] as const

/** A layer whose inputs depend on each other. */
const layer = (outputs: number, inputs: number, seed: number) => {
  const weight = draw(outputs, inputs, seed)
  const tokens = correlatedTokens(4 * inputs, inputs, seed + 1)
  const hessian = Naive.hessianOf(tokens)
  const errorOf = (rows: Naive.Rows) => Naive.squaredError(rows, weight, hessian)
  return { weight, tokens, hessian, errorOf }
}

describe("ADMM", () => {
  for (const sparsity of sparsities) {
    const cases: ReadonlyArray<readonly [string, AdmmOptions, Parameters<typeof Naive.admm>[3]]> = [
      ["the dense weights", {}, {}],
      ["Wanda", { start: wanda() }, { start: Naive.wanda }],
      ["three rounds of one", { rounds: 3, iterations: 1 }, { rounds: 3, iterations: 1 }],
      ["other numbers", { penalty: 0.4, damping: 0.1 }, { penalty: 0.4, damping: 0.1 }],
    ]
    for (const [name, options, plain] of cases) {
      it.effect(`gives what the plain loops give at ${sparsity}, from ${name}`, () =>
        Effect.gen(function* () {
          const { weight, tokens, hessian } = layer(4, 12, 1)
          const expected = Naive.admm(weight, hessian, parseSparsity(sparsity), plain)
          const found = yield* pruneLayer(admm(options), weight, tokens, sparsity)
          assert.deepStrictEqual(zerosOf(found), zerosOf(expected))
          assert.isBelow(differenceOf(found, expected), 1e-4)
        }).pipe(Effect.provide(Interpreter.layer)),
      )
    }
  }

  it.effect("loses less of a layer than what it starts from, refitted or not", () =>
    Effect.gen(function* () {
      let better = 0
      for (const seed of [3, 5]) {
        const { weight, tokens, errorOf } = layer(8, 24, seed)
        for (const sparsity of sparsities) {
          for (const start of [wanda(), sparseGpt()]) {
            const prune = (pruner: ReturnType<typeof admm>) =>
              Effect.map(pruneLayer(pruner, weight, tokens, sparsity), errorOf)
            const found = yield* prune(admm({ start }))
            const control = yield* prune(maskedLeastSquares({ start }))
            assert.isAtMost(found, control * (1 + 1e-5))
            assert.isAtMost(found, yield* prune(start))
            if (found < 0.95 * control) better++
          }
        }
      }
      assert.isAbove(better, 8)
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("keeps exactly as many weights as asked for", () =>
    Effect.gen(function* () {
      const { weight, tokens } = layer(8, 40, 11)
      for (const start of [undefined, sparseGpt()]) {
        const pruner = admm(start === undefined ? {} : { start })
        for (const [sparsity, keep, of] of [
          ["2:4", 2, 4],
          ["1:4", 1, 4],
          ["5:8", 5, 8],
        ] as const) {
          const found = yield* pruneLayer(pruner, weight, tokens, sparsity)
          for (const group of found.flatMap((row) => rowsOf(row, of))) {
            assert.strictEqual(group.filter((value) => value !== 0).length, keep)
          }
        }
        const found = yield* pruneLayer(pruner, weight, tokens, 0.3)
        assert.strictEqual(found.flat().filter((value) => value === 0).length, 96)
      }
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("returns every weight where nothing is asked for, none where all is", () =>
    Effect.gen(function* () {
      const { weight, tokens } = layer(8, 16, 13)
      assert.deepStrictEqual(yield* pruneLayer(admm(), weight, tokens, 0), weight)
      assert.deepStrictEqual(yield* pruneLayer(admm(), weight, tokens, "4:4"), weight)
      const none = yield* pruneLayer(admm(), weight, tokens, 1)
      assert.isTrue(none.flat().every((value) => value === 0))
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("gives the same bits again, whatever the number of threads", () =>
    Effect.gen(function* () {
      const { weight, tokens } = layer(48, 96, 15)
      const run = (threads: number) =>
        pruneLayer(admm({ start: sparseGpt() }), weight, tokens, "2:4").pipe(
          Effect.provide(wasmLayer({ threads })),
        )
      const first = yield* run(1)
      assert.deepStrictEqual(yield* run(1), first)
      assert.deepStrictEqual(yield* run(2), first)
    }),
  )

  it.effect("removes the weights of inputs that were never seen", () =>
    Effect.gen(function* () {
      const { weight, tokens } = layer(8, 16, 17)
      const some = tokens.map((row) => row.map((x, j) => (j === 3 || j === 9 ? 0 : x)))
      const found = yield* pruneLayer(admm(), weight, some, "2:4")
      for (const row of found) assert.deepStrictEqual([row[3], row[9]], [0, 0])
      for (const start of [undefined, sparseGpt()]) {
        const silent = tokens.map((row) => row.map(() => 0))
        const pruner = admm(start === undefined ? {} : { start })
        const none = yield* pruneLayer(pruner, weight, silent, "2:4")
        assert.isTrue(none.flat().every((value) => value === 0))
      }
    }).pipe(Effect.provide(wasm)),
  )
})

describe.skipIf(!hasData)(`ADMM on stories260K${needsData}`, () => {
  for (const sparsity of ["2:4", 0.5]) {
    it.effect(`loses clearly less of its layers than masked least squares at ${sparsity}`, () =>
      Effect.gen(function* () {
        const windows = readWindows(16, "calibration")
        const options = { sparsity: parseSparsity(sparsity), windows, layerErrors: true }
        const start = sparseGpt()
        const control = yield* prune(readStories(), maskedLeastSquares({ start }), options)
        const found = yield* prune(readStories(), admm({ start }), options)
        const errors = ({ layers }: typeof found) =>
          layers.reduce((sum, layer) => sum + layer.error!, 0) / layers.length
        assert.isBelow(errors(found), 0.95 * errors(control))
        assert.strictEqual(found.sparsity, 0.5)
      }).pipe(Effect.provide(wasmLayer())),
    )
  }
})
