import type { QuantisationGrid } from "@espalier/calibration"
import { makePrograms, sweepColumns } from "@espalier/calibration"
import { Interpreter, Matrix } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { Effect } from "effect"
import { assert, describe, it } from "@effect/vitest"
import { toHost, toRows } from "@espalier/test-models"
import { correlatedTokens, differenceOf, draw, separateTokens } from "@espalier/testing"
import type { GptqOptions } from "./gptq.ts"
import { gptq } from "./gptq.ts"
import { gridOf } from "./grid.ts"
import { dampedOf, inverseFactor } from "./naive/matrix.ts"
import * as Naive from "./naive/mod.ts"
import { dequantize } from "./quantized_weight.ts"
import { rtn } from "./rtn.ts"
import type { Scheme } from "./scheme.ts"
import { quantizeLayer, roundLayer } from "./testing/layers.ts"
import { allSchemes, AnyOf, Count } from "./testing/schemes.ts"

const wasm = wasmLayer({ poison: true, threads: 1 })
const narrow = allSchemes.filter(({ group }) => group === "channel" || group === 32)
const orders: ReadonlyArray<GptqOptions> = [{}, { staticGroups: true }, { activationOrder: true }]

/**
 * Weights that are not half a step from a code when the sweep reaches them: there the last bit
 * decides, which devices and the plain loops do not share. A symmetric grid ends half a step below
 * its lowest code, so that the largest weight of each group is above 0, and no first one.
 */
const drawClear = (outputs: number, inputs: number, seed: number) =>
  draw(outputs, inputs, seed).map((row) =>
    row.map((w, j) => (j % 32 === 5 ? 1 : Math.fround(0.8 * (j % 32 === 0 ? w / 2 : w)))),
  )

describe("GPTQ", () => {
  // Outputs of 8 go through the kernel of wasm, all others through its reference.
  for (const [outputs, inputs] of [
    [8, 64],
    [5, 64],
    [8, 160],
  ]) {
    const check = Effect.fnUntraced(function* () {
      const weight = drawClear(outputs, inputs, 3)
      const tokens = correlatedTokens(2 * inputs, inputs, 4)
      const hessian = Naive.hessianOf(tokens)
      for (const scheme of narrow) {
        for (const options of orders) {
          const found = yield* roundLayer(gptq(options), weight, scheme, tokens)
          const { weight: expected } = Naive.gptq(weight, hessian, scheme, options)
          assert.isBelow(differenceOf(found, expected), 1e-4)
        }
      }
    })
    const name = `gives what the plain loops give, ${outputs}x${inputs}`
    it.effect(`${name}, on wasm`, () => check().pipe(Effect.provide(wasm)))
    if (inputs > 64) continue
    it.effect(`${name}, on the interpreter`, () => check().pipe(Effect.provide(Interpreter.layer)))
  }

  it.effect.prop(
    "is as good as the plain loops for any layer, scheme, damping, block and order",
    {
      outputs: Count(1, 9),
      groups: Count(1, 3),
      at: AnyOf(narrow),
      order: Count(0, 2),
      seed: Count(0, 1e6),
    },
    ({ outputs, groups, at, order, seed }) =>
      Effect.gen(function* () {
        const inputs = 32 * groups
        const weight = drawClear(outputs, inputs, seed)
        const tokens = correlatedTokens(2 * inputs, inputs, seed + 1)
        const hessian = Naive.hessianOf(tokens)
        const damping = 0.001 * (1 + (seed % 50))
        const options = { ...orders[order], damping }
        const own = { ...options, blockSize: 1 + (seed % 40) }
        const found = yield* roundLayer(gptq(own), weight, narrow[at], tokens)
        const { loss } = Naive.gptq(weight, hessian, narrow[at], options)
        // One code may go the other way where a weight is between two, and those after it follow.
        const cost = Naive.squaredError(found, weight, dampedOf(hessian, damping)) / 2
        assert.closeTo(cost / loss, 1, 0.05)
      }).pipe(Effect.provide(Interpreter.layer)),
    { arbitrary: { runs: 25 } },
  )

  it.effect("is RTN where the inputs have nothing to do with each other", () =>
    Effect.gen(function* () {
      for (const outputs of [8, 5]) {
        const weight = draw(outputs, 64, 5)
        const tokens = separateTokens(draw(1, 64, 6)[0].map((x) => Math.fround(x + 1.5)))
        for (const scheme of narrow) {
          for (const range of ["min-max", "mse"] as const) {
            const { codes, scales, zeros } = yield* quantizeLayer(rtn({ range }), weight, scheme)
            for (const options of orders) {
              const found = yield* quantizeLayer(
                gptq({ ...options, range }),
                weight,
                scheme,
                tokens,
              )
              assert.deepStrictEqual(
                [found.codes, found.scales, found.zeros],
                [codes, scales, zeros],
              )
            }
          }
        }
      }
    }).pipe(Effect.provide(wasm)),
  )

  // No theorem: a fixture on which the methods come in the order that trained models show.
  it.effect("loses less of a layer than RTN", () =>
    Effect.gen(function* () {
      const [weight, tokens] = [draw(16, 64, 7), correlatedTokens(200, 64, 8)]
      const hessian = Naive.hessianOf(tokens)
      for (const scheme of narrow) {
        const nearest = yield* roundLayer(rtn(), weight, scheme)
        const most = 0.9 * Naive.squaredError(nearest, weight, hessian)
        for (const options of orders) {
          const found = yield* roundLayer(gptq(options), weight, scheme, tokens)
          assert.isBelow(Naive.squaredError(found, weight, hessian), most)
        }
      }
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("reports half the damped error of the layer", () =>
    Effect.gen(function* () {
      const [weight, tokens] = [draw(8, 64, 9), correlatedTokens(150, 64, 10)]
      const hessian = Naive.hessianOf(tokens)
      const damped = dampedOf(hessian, 0.01)
      for (const scheme of narrow) {
        for (const options of orders) {
          const plain = Naive.gptq(weight, hessian, scheme, options)
          const expected = Naive.squaredError(plain.weight, weight, damped) / 2
          assert.closeTo(plain.loss / expected, 1, 1e-9)
        }
        if (scheme.group !== "channel") continue
        const rows = Float32Array.from(weight.flat())
        const { scales, zeros } = gridOf(rows, 64, scheme)
        const spread = (values: ArrayLike<number>, columns: number) =>
          Float32Array.from({ length: 8 * columns }, (_, i) => values[i % 8])
        const grid: QuantisationGrid = {
          levels: 2 ** scheme.bits - 1,
          of: (_, columns) =>
            Effect.succeed({ scales: spread(scales, columns), zeros: spread(zeros, columns) }),
        }
        const factor = Matrix.packUpper(Matrix.make(64, 64, inverseFactor(damped).flat()))
        const programs = yield* makePrograms
        const options = { rule: { name: "gptq" }, grid, blockSize: 24 }
        const swept = yield* sweepColumns(programs, toHost(weight), factor, options)
        const cost = Naive.squaredError(toRows(swept.weight), weight, damped)
        assert.closeTo(swept.error / cost, 1, 1e-3)
        const whole = yield* roundLayer(gptq(), weight, scheme, tokens)
        assert.isBelow(differenceOf(whole, toRows(swept.weight)), 1e-6)
      }
    }).pipe(Effect.scoped, Effect.provide(wasm)),
  )

  it.effect("does not depend on the block size", () =>
    Effect.gen(function* () {
      const [weight, tokens] = [draw(8, 96, 11), correlatedTokens(200, 96, 12)]
      const scheme: Scheme = { bits: 4, group: "channel", symmetric: false }
      const whole = yield* roundLayer(gptq({ blockSize: 96 }), weight, scheme, tokens)
      for (const blockSize of [1, 7, 32, 128]) {
        const found = yield* roundLayer(gptq({ blockSize }), weight, scheme, tokens)
        assert.isBelow(differenceOf(found, whole), 1e-6)
      }
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("keeps the first grids where groups are static, and chooses anew where not", () =>
    Effect.gen(function* () {
      const [weight, tokens] = [draw(8, 64, 13), correlatedTokens(150, 64, 14)]
      const scheme: Scheme = { bits: 3, group: 32, symmetric: false }
      const { scales: first } = yield* quantizeLayer(rtn(), weight, scheme)
      const scalesOf = (options: GptqOptions) =>
        Effect.map(quantizeLayer(gptq(options), weight, scheme, tokens), ({ scales }) => scales)
      assert.deepStrictEqual(yield* scalesOf({ staticGroups: true }), first)
      assert.deepStrictEqual(yield* scalesOf({ activationOrder: true }), first)
      const grown = yield* scalesOf({})
      for (const [i, scale] of first.entries()) {
        // Nothing has happened before the first group of each output.
        if (i % 2 === 0) assert.strictEqual(grown[i], scale)
        else assert.notStrictEqual(grown[i], scale)
      }
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("removes the weights of inputs that were never seen", () =>
    Effect.gen(function* () {
      const dead = [0, 5, 40]
      const tokens = correlatedTokens(150, 64, 15).map((row) =>
        row.map((x, j) => (dead.includes(j) ? 0 : x)),
      )
      const weight = drawClear(8, 64, 16)
      for (const scheme of narrow) {
        for (const options of orders) {
          const found = yield* roundLayer(gptq(options), weight, scheme, tokens)
          for (const row of found) for (const j of dead) assert.strictEqual(row[j], 0)
          const hessian = Naive.hessianOf(tokens)
          const expected = Naive.gptq(weight, hessian, scheme, options)
          assert.isBelow(differenceOf(found, expected.weight), 1e-4)
        }
      }
    }).pipe(Effect.provide(wasm)),
  )

  it.effect("also prunes: 2 of 4 inputs stay, and those are on the grid", () =>
    Effect.gen(function* () {
      const [weight, tokens] = [draw(8, 64, 17), correlatedTokens(150, 64, 18)]
      for (const scheme of narrow) {
        const method = gptq({ keep: { keep: 2, of: 4 } })
        const found = yield* quantizeLayer(method, weight, scheme, tokens)
        const rows = toRows(dequantize(found))
        for (const row of rows) {
          for (let j = 0; j < 64; j += 4) {
            // More where a weight is rounded to 0.
            assert.isAtLeast(row.slice(j, j + 4).filter((w) => w === 0).length, 2)
          }
        }
        assert.isBelow(
          Naive.squaredError(rows, weight, Naive.hessianOf(tokens)),
          Naive.squaredError(
            weight.map((row) => row.map(() => 0)),
            weight,
            Naive.hessianOf(tokens),
          ),
        )
      }
    }).pipe(Effect.provide(wasm)),
  )

  it("does not keep N of M in activation order, nor where M does not fit", () => {
    const keep = { keep: 1, of: 3 }
    assert.throws(() => gptq({ keep, activationOrder: true }), RangeError)
    const linear = { name: "up", path: "blocks.0.up", shape: [4, 96] } as const
    const problemOf = (group: Scheme["group"]) =>
      gptq({ keep }).check?.(linear, { bits: 4, group, symmetric: false })
    assert.isUndefined(problemOf("channel"))
    assert.strictEqual(
      problemOf(32)?.message,
      "blocks.0.up has 32 inputs, which groups of 3 do not divide. " +
        "Keep N of every M inputs with an M that divides 32.",
    )
  })
})
