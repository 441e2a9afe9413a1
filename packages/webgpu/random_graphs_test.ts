import { Device } from "@espalier/tensor"
import * as Conformance from "@espalier/tensor/conformance"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeOn, openDevice } from "./testing/harness.ts"

/** Another one each day, and any one again. */
const seed = Number(process.env["ESPALIER_SEED"] ?? Conformance.daySeed())
const repeat = `ESPALIER_SEED=${seed} pnpm --dir packages/webgpu exec vitest run random_graphs`
console.log(`random graphs of seed ${seed}; again with: ${repeat}`)

const device = await openDevice({ poison: true })
const count = 200

describeOn(device, `random graphs of seed ${seed}`, (device) => {
  it.effect(
    `${count} agree with the reference`,
    () =>
      Effect.gen(function* () {
        const tally = yield* Conformance.checkGraphs({ seed, count, repeat })
        console.log(JSON.stringify(tally))
        assert.strictEqual(tally.graphs, count)
        assert.isAbove(tally.checked / tally.elements, 0.8)
      }).pipe(Effect.provideService(Device, device)),
    600_000,
  )

  it.effect("10 pairs that share memory give what each gives alone", () =>
    Effect.forEach(
      Array.from({ length: 10 }, (_, i) => 2 * i),
      (i) =>
        Conformance.checkInterleaved(
          Conformance.graphOf(seed, i),
          Conformance.graphOf(seed, i + 1),
        ),
      { discard: true },
    ).pipe(Effect.provideService(Device, device)),
  )
})
