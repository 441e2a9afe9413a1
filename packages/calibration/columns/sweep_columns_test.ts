import { assert, describe, it } from "@effect/vitest"
import { Device, Interpreter, Matrix, Tensor } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { type Rows, correlatedTokens, differenceOf, draw } from "@espalier/testing"
import { Effect } from "effect"
import { makePrograms } from "../programs.ts"
import {
  plainFactor,
  plainHessian,
  plainSweep,
  squaredError,
  toHost,
  toRows,
} from "../testing/layers.ts"
import type { QuantisationGrid, SweepOptions } from "./sweep_columns.ts"
import { sweepColumns } from "./sweep_columns.ts"

const wasm = wasmLayer({ poison: true, threads: 1 })

const makeProblem = (outputs: number, inputs: number, seed: number) => {
  const hessian = plainHessian(correlatedTokens(3 * inputs, inputs, seed))
  return { weight: draw(outputs, inputs, seed + 1), hessian, factor: plainFactor(hessian, 0.01) }
}

const sweep = Effect.fnUntraced(function* (weight: Rows, factor: Rows, options: SweepOptions) {
  const programs = yield* makePrograms
  const n = factor.length
  const found = yield* sweepColumns(
    programs,
    toHost(weight),
    Matrix.packUpper(Matrix.make(n, n, factor.flat())),
    options,
  )
  return { weight: toRows(found.weight.data, n), error: found.error }
}, Effect.scoped)

const half = { name: "2:4", group: { keep: 2, of: 4 } }
/** Removes what is smaller than the mean of its block: depends on the block. */
const belowMean = {
  name: "below mean",
  mask: (weights: Tensor.Tensor, diagonal: Tensor.Tensor) => {
    const scores = Tensor.square(Tensor.div(weights, diagonal))
    return Tensor.less(scores, Tensor.mean(scores))
  },
}
const alone = { name: "nothing" }
/** To eighths, from −16 on. */
const grid: QuantisationGrid = {
  levels: 255,
  of: (_, columns, weights) =>
    Effect.map(weights, ({ length }) => {
      assert.strictEqual(length % columns, 0)
      return {
        scales: new Float32Array(length).fill(1 / 8),
        zeros: new Float32Array(length).fill(128),
      }
    }),
}
const toGrid = (value: number) => Math.round(value * 8) / 8

describe("sweepColumns", () => {
  for (const [name, device, tolerance] of [
    ["the interpreter", Interpreter.layer, 1e-5],
    ["wasm", wasm, 1e-4],
  ] as const) {
    for (const [outputs, inputs] of [
      [5, 12],
      [8, 20],
      [7, 172],
      [8, 172],
    ]) {
      it.effect(`chooses N of M whatever the blocks, ${outputs}x${inputs}, on ${name}`, () =>
        Effect.gen(function* () {
          const { weight, factor } = makeProblem(outputs, inputs, 1)
          const expected = plainSweep(weight, factor, { group: half.group })
          for (const blockSize of [4, 8, 128, 1000]) {
            const found = yield* sweep(weight, factor, { rule: half, blockSize })
            assert.isBelow(differenceOf(found.weight, expected.weight), tolerance)
          }
        }).pipe(Effect.provide(device)),
      )
    }
  }

  it.effect("decides a mask block by block", () =>
    Effect.gen(function* () {
      const { weight, factor } = makeProblem(8, 24, 2)
      const zeros = Effect.fnUntraced(function* (blockSize: number) {
        const found = yield* sweep(weight, factor, { rule: belowMean, blockSize })
        return found.weight.map((row) => row.map((value) => value === 0))
      })
      assert.notDeepEqual(yield* zeros(6), yield* zeros(24))
      // One block: the mask comes from the weights as they were.
      const scores = weight.map((row) => row.map((w, j) => (w / factor[j][j]) ** 2))
      const mean = scores.flat().reduce((sum, score) => sum + score, 0) / scores.flat().length
      const removed = scores.map((row) => row.map((score) => score < mean))
      assert.deepStrictEqual(yield* zeros(24), removed)
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("rounds column by column as GPTQ does, whatever the blocks", () =>
    Effect.gen(function* () {
      const { weight, factor, hessian } = makeProblem(6, 22, 3)
      const expected = plainSweep(weight, factor, { quantise: toGrid })
      for (const blockSize of [1, 5, 22]) {
        const found = yield* sweep(weight, factor, { rule: alone, grid, blockSize })
        assert.isBelow(differenceOf(found.weight, expected.weight), 1e-6)
      }
      const nearest = weight.map((row) => row.map(toGrid))
      assert.isBelow(
        squaredError(expected.weight, weight, hessian),
        squaredError(nearest, weight, hessian),
      )
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("prunes and rounds in one go", () =>
    Effect.gen(function* () {
      const { weight, factor } = makeProblem(8, 20, 4)
      const expected = plainSweep(weight, factor, { group: half.group, quantise: toGrid })
      const found = yield* sweep(weight, factor, { rule: half, grid, blockSize: 8 })
      assert.isBelow(differenceOf(found.weight, expected.weight), 1e-6)
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("shows each block as it is when the sweep reaches it", () =>
    Effect.gen(function* () {
      const { weight, factor } = makeProblem(8, 24, 9)
      const seen: Array<number> = []
      const looking: QuantisationGrid = {
        levels: 255,
        of: (first, columns, weights) =>
          Effect.flatMap(weights, (values) => {
            seen[first] = values[0]
            return grid.of(first, columns, weights)
          }),
      }
      yield* sweep(weight, factor, { rule: alone, grid: looking, blockSize: 8 })
      // The first output, before columns 0, 8 and 16 are rounded.
      for (const first of [0, 8, 16]) {
        const before = weight.map((row) => row.slice(0, first))
        const upTo = (value: number, j: number) => (j < first ? toGrid(value) : value)
        const { weight: expected } = plainSweep(weight, factor, { quantise: upTo })
        assert.strictEqual(before[0].length, first)
        assert.closeTo(seen[first], expected[0][first], 1e-5)
      }
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("knows how much the damped error has grown", () =>
    Effect.gen(function* () {
      const { weight, hessian, factor } = makeProblem(8, 24, 5)
      const mean = hessian.reduce((sum, row, j) => sum + row[j], 0) / 24
      const damped = hessian.map((row, i) => row.map((h, j) => (i === j ? h + 0.01 * mean : h)))
      for (const given of [{ rule: half }, { rule: belowMean }, { rule: alone, grid }]) {
        const found = yield* sweep(weight, factor, { ...given, blockSize: 8 })
        const expected = squaredError(found.weight, weight, damped)
        assert.closeTo(found.error / expected, 1, 1e-4)
      }
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("without a rule gives the weights back bit for bit", () =>
    Effect.gen(function* () {
      const { weight, factor } = makeProblem(8, 20, 6)
      const found = yield* sweep(weight, factor, { rule: alone, blockSize: 8 })
      assert.deepStrictEqual(found, { weight, error: 0 })
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("clears dead inputs first", () =>
    Effect.gen(function* () {
      const { weight, factor } = makeProblem(8, 20, 7)
      const dead = [0, 9, 19]
      const cleared = weight.map((row) => row.map((w, j) => (dead.includes(j) ? 0 : w)))
      const found = yield* sweep(weight, factor, { rule: half, dead })
      const expected = yield* sweep(cleared, factor, { rule: half })
      assert.deepStrictEqual(found, expected)
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("gives its memory back", () =>
    Effect.gen(function* () {
      const { statistics } = yield* Device
      const before = statistics().liveBytes
      const { weight, factor } = makeProblem(8, 20, 8)
      yield* sweep(weight, factor, { rule: half, blockSize: 8 })
      assert.strictEqual(statistics().liveBytes, before)
      assert.strictEqual(statistics().programs, 0)
    }).pipe(Effect.provide(wasm)),
  )
})
