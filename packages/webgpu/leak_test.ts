import { Device } from "@espalier/tensor"
import * as Conformance from "@espalier/tensor/conformance"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { describeOn, openDevice } from "./testing/harness.ts"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

const megabytes = (): { readonly heap: number; readonly resident: number } => {
  collect()
  const { heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed / 2 ** 20, resident: rss / 2 ** 20 }
}

const steps = 2000
/** So many before, in which the driver compiles, its queues fill and V8 sizes its heap. */
const settled = 2000
/**
 * Growth of the JavaScript heap and of the process that is still called flat, in MiB. The queues of a
 * software driver grow by a hundred on a busy machine, where its threads fall behind.
 */
const heapBound = 4
const residentBound = 256

const device = await openDevice()

describeOn(device, `${steps} steps of training after ${settled} others`, (device) => {
  it.effect("leave memory as it was", () =>
    Effect.gen(function* () {
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
      assert.isBelow(loss, 0.1)
      assert.strictEqual(live.size, 1, "bytes held by the device after each step")
      assert.strictEqual(device.statistics().liveBytes, before.liveBytes)
      assert.strictEqual(device.statistics().programs, before.programs)
      assert.isBelow(late.heap - early.heap, heapBound)
      assert.isBelow(late.resident - early.resident, residentBound)
    }).pipe(Effect.provideService(Device, device)),
  )
})
