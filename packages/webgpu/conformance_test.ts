import { Device } from "@espalier/tensor"
import * as Conformance from "@espalier/tensor/conformance"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeOn, openDevice } from "./testing/harness.ts"

const device = await openDevice({ poison: true })
const composites = await Effect.runPromise(Conformance.compositeCases())

describeOn(device, "the conformance suite", (device) => {
  for (const conformanceCase of [...Conformance.rowCases(), ...composites]) {
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
