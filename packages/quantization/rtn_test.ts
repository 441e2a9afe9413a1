import { assert, describe, it } from "@effect/vitest"
import { Interpreter } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { draw } from "@espalier/testing"
import { Effect } from "effect"
import * as Naive from "./naive/mod.ts"
import { bitsPerWeight } from "./quantized_weight.ts"
import type { Scheme } from "./scheme.ts"
import { rtn } from "./rtn.ts"
import { roundLayer, withOutliers } from "./testing/layers.ts"
import { allSchemes, AnyOf, Count } from "./testing/schemes.ts"

const wasm = wasmLayer({ poison: true, threads: 1 })
const rounded = (rows: Naive.Rows) => rows.map((row) => row.map(Math.fround))
const lossOf = (found: Naive.Rows, weight: Naive.Rows, norm: number) =>
  found
    .flat()
    .reduce((sum, w, i) => sum + Math.abs(w - weight[Math.floor(i / 128)][i % 128]) ** norm, 0)

describe("RTN", () => {
  for (const [name, device] of [
    ["the interpreter", Interpreter.layer],
    ["wasm", wasm],
  ] as const) {
    it.effect(`gives what the plain loops give, bit for bit, on ${name}`, () =>
      Effect.gen(function* () {
        const weight = draw(3, 128, 1)
        for (const scheme of allSchemes) {
          const found = yield* roundLayer(rtn(), weight, scheme)
          assert.deepStrictEqual(found, rounded(Naive.rtn(weight, scheme)))
        }
      }).pipe(Effect.provide(device)),
    )
  }

  it.effect.prop(
    "does so for any layer and scheme",
    { outputs: Count(1, 6), groups: Count(1, 3), seed: Count(0, 1e6), at: AnyOf(allSchemes) },
    ({ outputs, groups, seed, at }) =>
      Effect.gen(function* () {
        const weight = draw(outputs, 128 * groups, seed)
        const found = yield* roundLayer(rtn(), weight, allSchemes[at])
        assert.deepStrictEqual(found, rounded(Naive.rtn(weight, allSchemes[at])))
      }).pipe(Effect.provide(Interpreter.layer)),
    { arbitrary: { runs: 30 } },
  )

  it.effect("loses less with more bits and with smaller groups", () =>
    Effect.gen(function* () {
      const weight = withOutliers(6, 128, 2)
      const loss = (bits: Scheme["bits"], group: Scheme["group"]) =>
        Effect.map(roundLayer(rtn(), weight, { bits, group, symmetric: false }), (found) =>
          lossOf(found, weight, 2),
        )
      for (const group of ["channel", 32] as const) {
        assert.isBelow(yield* loss(8, group), 0.01 * (yield* loss(4, group)))
        assert.isBelow(yield* loss(4, group), 0.3 * (yield* loss(3, group)))
        assert.isBelow(yield* loss(3, group), yield* loss(2, group))
      }
      for (const bits of [2, 3, 4, 8] as const) {
        assert.isBelow(yield* loss(bits, 32), yield* loss(bits, "channel"))
      }
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it("takes the bits that its scales and zero points take as well", () => {
    const bits = (scheme: Scheme, inputs: number) => bitsPerWeight({ shape: [3, inputs], scheme })
    assert.strictEqual(bits({ bits: 4, group: "channel", symmetric: false }, 4096), 4 + 20 / 4096)
    assert.strictEqual(bits({ bits: 4, group: 128, symmetric: false }, 4096), 4 + 20 / 128)
    assert.strictEqual(bits({ bits: 3, group: 32, symmetric: true }, 64), 3.5)
  })
})
