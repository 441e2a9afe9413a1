import { assert, describe, it } from "@effect/vitest"
import { DeviceArray, Interpreter, Matrix } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { type Rows, correlatedTokens, differenceOf, draw } from "@espalier/testing"
import { Effect } from "effect"
import type { MaskedLeastSquaresOptions } from "./masked_least_squares.ts"
import { maskedLeastSquares } from "./masked_least_squares.ts"
import { makePrograms } from "./programs.ts"
import { plainHessian, squaredError, toHost, toRows } from "./testing/layers.ts"

const wasm = wasmLayer({ poison: true, threads: 1 })

const refit = Effect.fnUntraced(function* (
  start: Rows,
  target: Rows,
  hessian: Rows,
  options: MaskedLeastSquaresOptions = {},
) {
  const programs = yield* makePrograms
  const onDevice = yield* DeviceArray.fromHost(toHost(hessian))
  const { data } = yield* maskedLeastSquares(
    programs,
    toHost(start),
    toHost(target),
    onDevice,
    options,
  )
  return toRows(data, hessian.length)
}, Effect.scoped)

/** Each row by its normal equations. */
const solved = (start: Rows, target: Rows, hessian: Rows): Rows =>
  start.map((row, r) => {
    const kept = [...row.keys()].filter((j) => row[j] !== 0)
    const gram = kept.flatMap((i) => kept.map((j) => hessian[i][j]))
    const right = kept.map((i) => hessian[i].reduce((sum, h, j) => sum + h * target[r][j], 0))
    const n = kept.length
    const { data } = Matrix.solvePositiveDefinite(Matrix.make(n, n, gram), Matrix.make(n, 1, right))
    return row.map((_, j) => (kept.includes(j) ? data[kept.indexOf(j)] : 0))
  })

const makeProblem = (outputs: number, inputs: number, seed: number) => {
  const target = draw(outputs, inputs, seed)
  const hessian = plainHessian(correlatedTokens(4 * inputs, inputs, seed + 1))
  const start = draw(outputs, inputs, seed + 2).map((row, r) =>
    row.map((x, j) => (x < 0 ? 0 : target[r][j])),
  )
  return { target, hessian, start }
}

describe("maskedLeastSquares", () => {
  for (const [name, device, tolerance] of [
    ["the interpreter", Interpreter.layer, 1e-5],
    ["wasm", wasm, 1e-4],
  ] as const) {
    it.effect(`solves the normal equations of every row on ${name}`, () =>
      Effect.gen(function* () {
        for (const [outputs, inputs] of [
          [1, 1],
          [5, 12],
          [8, 44],
        ]) {
          const { target, hessian, start } = makeProblem(outputs, inputs, 1)
          const found = yield* refit(start, target, hessian)
          assert.isBelow(differenceOf(found, solved(start, target, hessian)), tolerance)
          for (const [r, row] of start.entries()) {
            for (const [j, w] of row.entries()) if (w === 0) assert.strictEqual(found[r][j], 0)
          }
        }
      }).pipe(Effect.provide(device)),
    )
  }

  it.effect("needs no more steps than a row has weights, and each lowers the error", () =>
    Effect.gen(function* () {
      const { target, hessian, start } = makeProblem(4, 8, 2)
      const best = squaredError(solved(start, target, hessian), target, hessian)
      let last = squaredError(start, target, hessian)
      for (const steps of [1, 2, 3, 4]) {
        const found = yield* refit(start, target, hessian, { steps, rounds: 1 })
        const error = squaredError(found, target, hessian)
        assert.isBelow(error, last * (1 + 1e-9))
        last = error
      }
      const found = yield* refit(start, target, hessian, { steps: 8, rounds: 1 })
      assert.closeTo(squaredError(found, target, hessian) / best, 1, 1e-6)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("stands still where there is nothing to gain", () =>
    Effect.gen(function* () {
      const { target, hessian, start } = makeProblem(3, 8, 3)
      // Nothing is removed; everything is; no input was ever seen.
      assert.deepStrictEqual(yield* refit(target, target, hessian), target)
      const zero = target.map((row) => row.map(() => 0))
      assert.deepStrictEqual(yield* refit(zero, target, hessian), zero)
      const silent = hessian.map((row) => row.map(() => 0))
      assert.deepStrictEqual(yield* refit(start, target, silent), start)
    }).pipe(Effect.provide(wasm)),
  )
})
