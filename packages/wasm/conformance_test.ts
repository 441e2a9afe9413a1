import * as Conformance from "@espalier/tensor/conformance"
import { Device } from "@espalier/tensor"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Wasm from "./mod.ts"

const composites = await Effect.runPromise(Conformance.compositeCases())
const cases = [
  ...Conformance.rowCases(),
  ...Conformance.viewCases(),
  ...Conformance.edgeCases(false),
  ...composites,
]

for (const options of [
  { threads: 1, poison: true },
  { threads: 1, poison: true, relaxedSimd: false },
  { threads: 2, poison: true },
]) {
  layer(Wasm.layer(options))(`conformance, ${JSON.stringify(options)}`, (it) => {
    for (const conformanceCase of cases) {
      it.effect(conformanceCase.name, () =>
        Effect.gen(function* () {
          const device = yield* Device
          const before = device.statistics().liveBytes
          yield* Conformance.check(conformanceCase)
          assert.strictEqual(device.statistics().liveBytes, before)
        }),
      )
    }
  })
}
