import * as Conformance from "@espalier/tensor/conformance"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Wasm from "./mod.ts"

/** Another one each day, and any one again. */
const seed = Number(process.env["ESPALIER_SEED"] ?? Conformance.daySeed())
const repeat = `ESPALIER_SEED=${seed} pnpm --dir packages/wasm exec vitest run random_graphs`
console.log(`random graphs of seed ${seed}; again with: ${repeat}`)

describe(`random graphs of seed ${seed}`, () => {
  for (const [options, from, count] of [
    [{ threads: 1, poison: true }, 0, 1200],
    [{ threads: 1, poison: true, relaxedSimd: false }, 1200, 400],
    [{ threads: 2, poison: true }, 1600, 400],
  ] as const) {
    it.effect(`${count} agree with the reference, ${JSON.stringify(options)}`, () =>
      Effect.gen(function* () {
        const tally = yield* Conformance.checkGraphs({ seed, from, count, repeat })
        console.log(JSON.stringify(tally))
        assert.strictEqual(tally.graphs, count)
        assert.isAbove(tally.checked / tally.elements, 0.8)
      }).pipe(Effect.provide(Wasm.layer(options))),
    )
  }

  it.effect("20 large ones agree with the reference, on two threads", () =>
    Conformance.checkGraphs({
      ...Conformance.largeGraphs,
      largest: 20_000,
      seed,
      count: 20,
      repeat,
    }).pipe(Effect.provide(Wasm.layer({ threads: 2, poison: true }))),
  )

  it.effect("100 pairs that share memory give what each gives alone", () =>
    Effect.forEach(
      Array.from({ length: 100 }, (_, i) => 2 * i),
      (i) =>
        Conformance.checkInterleaved(
          Conformance.graphOf(seed, i),
          Conformance.graphOf(seed, i + 1),
        ),
      { discard: true },
    ).pipe(Effect.provide(Wasm.layer({ threads: 1, poison: true }))),
  )
})
