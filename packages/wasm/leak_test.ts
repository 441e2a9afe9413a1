import { Device } from "@espalier/tensor"
import * as Conformance from "@espalier/tensor/conformance"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Wasm from "./mod.ts"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

const megabytes = (): { readonly heap: number; readonly resident: number } => {
  collect()
  const { heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed / 2 ** 20, resident: rss / 2 ** 20 }
}

const steps = 10_000
/** As many again before, in which the engine compiles and sizes its heap. */
const settled = 10_000
/**
 * Growth of the JavaScript heap and of the process that is still called flat, in MiB. The process
 * holds young objects that V8 has not collected yet: that goes up and down by tens.
 */
const heapBound = 2
const residentBound = 96

describe(`${steps} steps of training after ${settled} others`, () => {
  for (const threads of [1, 2]) {
    it.effect(`leave memory as it was, on ${threads} thread${threads === 1 ? "" : "s"}`, () =>
      Effect.gen(function* () {
        const device = yield* Device
        const before = device.statistics()
        const live = new Set<number>()
        let early = megabytes()
        const { loss } = yield* Conformance.train({
          steps: settled + steps,
          onStep: (step, liveBytes) => {
            live.add(liveBytes)
            if (step === settled) early = megabytes()
          },
        })
        const late = megabytes()
        console.log(
          `${live.size} value of live bytes; heap ${early.heap.toFixed(1)} → ${late.heap.toFixed(1)} MiB, ` +
            `process ${early.resident.toFixed(0)} → ${late.resident.toFixed(0)} MiB`,
        )
        assert.isBelow(loss, 0.02)
        assert.strictEqual(live.size, 1, "bytes held by the device after each step")
        assert.strictEqual(device.statistics().liveBytes, before.liveBytes)
        assert.strictEqual(device.statistics().programs, before.programs)
        assert.isBelow(late.heap - early.heap, heapBound)
        assert.isBelow(late.resident - early.resident, residentBound)
      }).pipe(Effect.provide(Wasm.layer({ threads }))),
    )
  }
})
