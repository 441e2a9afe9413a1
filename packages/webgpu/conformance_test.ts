import { Device } from "@espalier/tensor"
import * as Conformance from "@espalier/tensor/conformance"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeOn, openDevice } from "./testing/harness.ts"

const device = await openDevice({ poison: true })
/** Which of the views are looked at: compiling takes a software driver long, so others each day. */
const seed = Number(process.env["ESPALIER_SEED"] ?? Conformance.daySeed())
console.log(`conformance of seed ${seed}; again with ESPALIER_SEED=${seed}`)

const composites = await Effect.runPromise(Conformance.compositeCases())
const cases = [
  ...Conformance.rowCases(),
  ...Conformance.viewCases(seed, { atMost: 6 }),
  ...Conformance.edgeCases(true),
  ...composites,
]

describeOn(device, "the conformance suite", (device) => {
  for (const conformanceCase of cases) {
    it.effect(conformanceCase.name, () =>
      Effect.gen(function* () {
        const before = device.statistics()
        yield* Conformance.check(conformanceCase)
        const after = device.statistics()
        assert.isAbove(after.dispatches, before.dispatches)
        assert.strictEqual(after.liveBytes, before.liveBytes)
        assert.strictEqual(after.programs, before.programs)
      }).pipe(Effect.provideService(Device, device)),
    )
  }
})
