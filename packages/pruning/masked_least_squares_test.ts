import { assert, describe, it } from "@effect/vitest"
import { Interpreter } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { correlatedTokens, differenceOf, draw, separateTokens } from "@espalier/testing"
import { Effect, Schema } from "effect"
import { maskedLeastSquares } from "./masked_least_squares.ts"
import * as Naive from "./naive/mod.ts"
import { sparseGpt } from "./sparsegpt.ts"
import { pruneLayer, zerosOf } from "./testing/layers.ts"
import { wanda } from "./wanda.ts"

const wasm = wasmLayer({ poison: true, threads: 1 })

describe("masked least squares", () => {
  for (const [outputs, inputs, sparsity] of [
    [5, 12, "2:4"],
    [8, 20, "1:4"],
    [16, 44, 0.5],
    [8, 172, "2:4"],
  ] as const) {
    for (const start of [wanda(), sparseGpt()]) {
      it.effect(`solves the normal equations, ${outputs}x${inputs}, ${start.name}`, () =>
        Effect.gen(function* () {
          const weight = draw(outputs, inputs, 1)
          const tokens = correlatedTokens(3 * inputs, inputs, 2)
          const pruned = yield* pruneLayer(start, weight, tokens, sparsity)
          const hessian = Naive.hessianOf(tokens)
          const expected = Naive.maskedLeastSquares(pruned, weight, hessian)
          const found = yield* pruneLayer(maskedLeastSquares({ start }), weight, tokens, sparsity)
          assert.deepStrictEqual(zerosOf(found), zerosOf(pruned))
          assert.isBelow(differenceOf(found, expected), 1e-4)
        }).pipe(Effect.provide(wasm)),
      )
    }
  }

  it.effect.prop(
    "is at least as good as any other weights on its zeros",
    { seed: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1e6 })) },
    ({ seed }) =>
      Effect.gen(function* () {
        const weight = draw(4, 12, seed)
        const tokens = correlatedTokens(40, 12, seed + 1)
        const hessian = Naive.hessianOf(tokens)
        const errorOf = (rows: Naive.Rows) => Naive.squaredError(rows, weight, hessian)
        for (const start of [wanda(), sparseGpt()]) {
          const pruned = yield* pruneLayer(start, weight, tokens, "2:4")
          const found = yield* pruneLayer(maskedLeastSquares({ start }), weight, tokens, "2:4")
          assert.isAtMost(errorOf(found), errorOf(pruned))
          const best = errorOf(Naive.maskedLeastSquares(pruned, weight, hessian))
          assert.closeTo(errorOf(found) / best, 1, 1e-6)
          for (const [i, size] of [1e-3, 0.1, 1].entries()) {
            const noise = draw(4, 12, seed + i)
            const other = found.map((row, r) =>
              row.map((w, j) => (w === 0 ? 0 : w + size * noise[r][j])),
            )
            assert.isBelow(errorOf(found), errorOf(other))
          }
        }
      }).pipe(Effect.provide(Interpreter.layer)),
    { arbitrary: { runs: 8 } },
  )

  it.effect("gives the dense weights back where nothing is removed", () =>
    Effect.gen(function* () {
      const [weight, tokens] = [draw(8, 20, 5), correlatedTokens(60, 20, 6)]
      const pruner = maskedLeastSquares({ start: wanda() })
      assert.deepStrictEqual(yield* pruneLayer(pruner, weight, tokens, 0), weight)
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("changes nothing where the inputs have nothing to do with each other", () =>
    Effect.gen(function* () {
      const weight = draw(8, 16, 7)
      const tokens = separateTokens(draw(1, 16, 8)[0].map((x) => Math.fround(x + 1.5)))
      const pruned = yield* pruneLayer(wanda(), weight, tokens, "2:4")
      const pruner = maskedLeastSquares({ start: wanda() })
      assert.deepStrictEqual(yield* pruneLayer(pruner, weight, tokens, "2:4"), pruned)
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("leaves inputs that were never seen as the start has them", () =>
    Effect.gen(function* () {
      const weight = draw(8, 8, 9)
      // No input at all, and then two of eight: no weight may become NaN.
      for (const live of [[], [2, 5]]) {
        const tokens = correlatedTokens(30, 8, 10).map((row) =>
          row.map((x, j) => (live.some((one) => one === j) ? x : 0)),
        )
        const pruned = yield* pruneLayer(wanda(), weight, tokens, "2:4")
        const pruner = maskedLeastSquares({ start: wanda() })
        const found = yield* pruneLayer(pruner, weight, tokens, "2:4")
        assert.deepStrictEqual(zerosOf(found), zerosOf(pruned))
        for (const [r, row] of found.entries()) {
          for (const [j, value] of row.entries()) {
            if (!live.some((one) => one === j)) assert.strictEqual(value, pruned[r][j])
            else assert.isTrue(Number.isFinite(value))
          }
        }
      }
    }).pipe(Effect.provide(wasm)),
  )
})
