import { assert, describe, it } from "@effect/vitest"
import type { Device } from "@espalier/tensor"
import { DeviceArray, HostArray, Interpreter, Program, Spec, Tensor } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { type Rows, correlatedTokens, differenceOf, draw } from "@espalier/testing"
import type { Layer } from "effect"
import { Effect, Schema } from "effect"
import type { PlainRule } from "../testing/layers.ts"
import { plainFactor, plainHessian, plainSweep, toHost, toRows, turned } from "../testing/layers.ts"
import type { GroupRule } from "./column_block.ts"
import { sweepBlock } from "./column_block.ts"

const wasm = wasmLayer({ poison: true, threads: 1 })
const Count = (minimum: number, maximum: number) =>
  Schema.Int.check(Schema.isBetween({ minimum, maximum }))

interface Options {
  readonly group?: GroupRule
  /** Scale of each column. */
  readonly scales?: ReadonlyArray<number>
  readonly zero?: number
  readonly levels?: number
}

/** Sweeps a weight [outputs, columns] on the device of the context. */
const sweep = Effect.fnUntraced(function* (
  weight: Rows,
  factor: Rows,
  removed: NonNullable<PlainRule["removed"]>,
  { group, scales, zero = 128, levels = 255 }: Options = {},
) {
  const [outputs, columns] = [weight.length, weight[0].length]
  const block = Spec.f32([columns, outputs])
  const inputs = {
    weights: block,
    factor: Spec.f32([columns, columns]),
    removed: block,
  }
  const grid = (given: ReadonlyArray<number>) => {
    const column = Tensor.fromHost(HostArray.make([columns, 1], given))
    const shape = [columns, outputs]
    return {
      scales: Tensor.broadcastTo(column, shape),
      zeros: Tensor.full(shape, zero),
      levels,
    }
  }
  const program = Program.make("sweep", inputs, ({ weights, factor, removed }) =>
    sweepBlock(weights, factor, removed, group, scales === undefined ? undefined : grid(scales)),
  )
  const run = yield* Program.compile(program)
  const found = yield* run({
    weights: toHost(turned(weight)),
    factor: toHost(factor),
    removed: toHost(turned(removed.map((row) => row.map((gone) => (gone ? 1 : 0))))),
  })
  const rowsOf = Effect.fnUntraced(function* (array: DeviceArray.DeviceArray) {
    return turned(toRows(yield* DeviceArray.toArray(array), outputs))
  })
  return { weight: yield* rowsOf(found.kept), errors: yield* rowsOf(found.errors) }
}, Effect.scoped)

const makeProblem = (outputs: number, columns: number, seed: number) => {
  const hessian = plainHessian(correlatedTokens(3 * columns, columns, seed))
  const factor = plainFactor(hessian, 0.01).map((row) => row.map(Math.fround))
  const removed = draw(outputs, columns, seed + 1).map((row) => row.map((x) => x < 0))
  return { weight: draw(outputs, columns, seed + 2), factor, removed }
}

const none = (weight: Rows) => weight.map((row) => row.map(() => false))

const devices: ReadonlyArray<readonly [string, Layer.Layer<Device, unknown>, number]> = [
  ["the interpreter", Interpreter.layer, 1e-6],
  ["wasm", wasm, 2e-5],
]

describe("sweepBlock", () => {
  for (const [name, device, tolerance] of devices) {
    // Multiples of 8 outputs run through the kernel of wasm.
    for (const [outputs, columns] of [
      [1, 1],
      [5, 12],
      [8, 1],
      [8, 12],
      [16, 40],
      [24, 40],
    ]) {
      it.effect(`does ${outputs} outputs and ${columns} columns with a given mask on ${name}`, () =>
        Effect.gen(function* () {
          const { weight, factor, removed } = makeProblem(outputs, columns, 1)
          const found = yield* sweep(weight, factor, removed)
          const expected = plainSweep(weight, factor, { removed })
          assert.isBelow(differenceOf(found.weight, expected.weight), tolerance)
          assert.isBelow(differenceOf(found.errors, expected.errors), tolerance)
          for (const [r, row] of removed.entries()) {
            for (const [j, gone] of row.entries()) {
              if (gone) assert.strictEqual(found.weight[r][j], 0)
              else assert.strictEqual(found.errors[r][j], 0)
            }
          }
        }).pipe(Effect.provide(device)),
      )
    }

    for (const [keep, of] of [
      [1, 4],
      [2, 4],
      [4, 8],
      [3, 5],
      [4, 4],
      [1, 2],
    ]) {
      it.effect(`keeps ${keep} of ${of}, chosen as it goes, on ${name}`, () =>
        Effect.gen(function* () {
          for (const outputs of [5, 8, 16]) {
            const { weight, factor, removed } = makeProblem(outputs, 4 * of, 2)
            // The mask is not looked at.
            const found = yield* sweep(weight, factor, removed, { group: { keep, of } })
            const expected = plainSweep(weight, factor, { group: { keep, of } })
            assert.isBelow(differenceOf(found.weight, expected.weight), tolerance)
            assert.isBelow(differenceOf(found.errors, expected.errors), 1e-4)
          }
        }).pipe(Effect.provide(device)),
      )
    }

    it.effect(`keeps the last of equals on ${name}`, () =>
      Effect.gen(function* () {
        const weight = Array.from({ length: 8 }, () => [1, -1, 1, 2, 0, 0, 0, 0])
        const factor = weight.map((_, i) => weight.map((__, j) => (i === j ? 1 : 0)))
        const found = yield* sweep(weight, factor, none(weight), { group: { keep: 2, of: 4 } })
        for (const row of found.weight) assert.deepStrictEqual(row, [0, 0, 1, 2, 0, 0, 0, 0])
      }).pipe(Effect.provide(device)),
    )

    it.effect(`rounds what stays to a grid of each column, as GPTQ does, on ${name}`, () =>
      Effect.gen(function* () {
        for (const outputs of [5, 8]) {
          const { weight, factor, removed } = makeProblem(outputs, 12, 3)
          const scales = Array.from({ length: 12 }, (_, j) => 0.125 * (1 + (j % 3)))
          const options = { scales, zero: 3, levels: 7 }
          const onGrid = (value: number, j: number) =>
            Math.min(4, Math.max(-3, Math.round(value / scales[j]))) * scales[j]
          const found = yield* sweep(weight, factor, none(weight), options)
          const expected = plainSweep(weight, factor, { quantise: onGrid })
          assert.isBelow(differenceOf(found.weight, expected.weight), 1e-6)
          const both = yield* sweep(weight, factor, removed, options)
          const joint = plainSweep(weight, factor, { quantise: onGrid, removed })
          assert.isBelow(differenceOf(both.weight, joint.weight), 1e-6)
          const grouped = yield* sweep(weight, factor, removed, {
            ...options,
            group: { keep: 2, of: 4 },
          })
          const group = { keep: 2, of: 4 }
          const chosen = plainSweep(weight, factor, { quantise: onGrid, group })
          assert.isBelow(differenceOf(grouped.weight, chosen.weight), 1e-6)
        }
      }).pipe(Effect.provide(device)),
    )
  }

  it.effect.prop(
    "gives on wasm what its reference gives, for any shape and rule",
    { vectors: Count(1, 3), groups: Count(1, 5), of: Count(2, 9), seed: Count(0, 1e6) },
    ({ vectors, groups, of, seed }) =>
      Effect.gen(function* () {
        const { weight, factor, removed } = makeProblem(8 * vectors, groups * of, seed)
        const group = { keep: 1 + (seed % of), of }
        const scales = weight[0].map((_, j) => 0.125 * (1 + (j % 3)))
        for (const options of [{}, { group }, { scales, levels: 15, zero: 5 }, { group, scales }]) {
          const run = sweep(weight, factor, removed, options)
          const fast = yield* Effect.provide(run, wasm)
          const slow = yield* Effect.provide(run, Interpreter.layer)
          assert.isBelow(differenceOf(fast.weight, slow.weight), 1e-4)
        }
      }),
    { arbitrary: { runs: 12 } },
  )

  it.effect("gives the same bits with two threads", () =>
    Effect.gen(function* () {
      const { weight, factor, removed } = makeProblem(64, 64, 4)
      const run = sweep(weight, factor, removed, { group: { keep: 2, of: 4 } })
      const one = yield* Effect.provide(run, wasm)
      assert.deepStrictEqual(yield* Effect.provide(run, wasmLayer({ threads: 2 })), one)
    }),
  )
})
