import { assert, describe, it } from "@effect/vitest"
import { Interpreter } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { differenceOf, draw } from "@espalier/testing"
import { Effect } from "effect"
import { hqq } from "./hqq.ts"
import * as Naive from "./naive/mod.ts"
import { rtn } from "./rtn.ts"
import type { Scheme } from "./scheme.ts"
import { quantizeLayer, roundLayer, withOutliers } from "./testing/layers.ts"
import { allSchemes, AnyOf, Count } from "./testing/schemes.ts"

const wasm = wasmLayer({ poison: true, threads: 1 })
const lossOf = (found: Naive.Rows, weight: Naive.Rows, norm: number) =>
  found
    .flat()
    .reduce((sum, w, i) => sum + Math.abs(w - weight[Math.floor(i / 128)][i % 128]) ** norm, 0)

describe("HQQ", () => {
  for (const [name, device] of [
    ["the interpreter", Interpreter.layer],
    ["wasm", wasm],
  ] as const) {
    it.effect(`gives what the plain loops give, on ${name}`, () =>
      Effect.gen(function* () {
        const weight = withOutliers(3, 128, 3)
        for (const scheme of allSchemes) {
          for (const options of [{}, { norm: 1, penalty: 3, growth: 1.1, iterations: 7 }]) {
            const found = yield* roundLayer(hqq(options), weight, scheme)
            const expected = Naive.hqq(weight, scheme, options)
            assert.isBelow(differenceOf(found, expected), 1e-6)
          }
        }
      }).pipe(Effect.provide(device)),
    )
  }

  it.effect.prop(
    "never loses more than RTN in its norm",
    { seed: Count(0, 1e6), at: AnyOf(allSchemes), p: Count(2, 10) },
    ({ seed, at, p }) =>
      Effect.gen(function* () {
        const scheme = allSchemes[at]
        for (const weight of [draw(2, 128, seed), withOutliers(2, 128, seed)]) {
          const found = yield* roundLayer(hqq({ norm: p / 10 }), weight, scheme)
          const start = yield* roundLayer(rtn(), weight, scheme)
          const least = lossOf(start, weight, p / 10)
          assert.isAtMost(lossOf(found, weight, p / 10), least * (1 + 1e-6))
        }
      }).pipe(Effect.provide(Interpreter.layer)),
    { arbitrary: { runs: 30 } },
  )

  it.effect("loses less than RTN where there are outliers", () =>
    Effect.gen(function* () {
      const weight = withOutliers(8, 128, 4)
      for (const bits of [2, 3, 4] as const) {
        for (const symmetric of [false, true]) {
          const scheme: Scheme = { bits, group: "channel", symmetric }
          const found = yield* roundLayer(hqq(), weight, scheme)
          const start = yield* roundLayer(rtn(), weight, scheme)
          assert.isBelow(lossOf(found, weight, 0.7), 0.99 * lossOf(start, weight, 0.7))
        }
      }
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("has whole zero points, and half of the codes below 0 where it is symmetric", () =>
    Effect.gen(function* () {
      const weight = withOutliers(4, 128, 5)
      for (const scheme of allSchemes) {
        const { zeros, scales } = yield* quantizeLayer(hqq(), weight, scheme)
        assert.instanceOf(zeros, Uint8Array)
        assert.isTrue(scales.every((scale) => scale > 0))
        const half = 2 ** (scheme.bits - 1)
        if (scheme.symmetric) assert.isTrue(zeros.every((zero) => zero === half))
      }
    }).pipe(Effect.provide(Interpreter.layer)),
  )
})
