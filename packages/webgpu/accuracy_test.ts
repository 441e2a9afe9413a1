import type { DeviceService } from "@espalier/tensor"
import { Ir } from "@espalier/tensor"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeOn, openDevice, runSchedule } from "./testing/harness.ts"
import * as Kernels from "./testing/kernels.ts"

const device = await openDevice()

/** Distance between neighbouring `f32` numbers at `x`. */
const ulp = (x: number): number =>
  2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(x) || 2 ** -126))) - 23)

const grid = (low: number, high: number, count = 20_000): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1))

/** Each function, where it is measured, and the largest error allowed there. */
const bounds: ReadonlyArray<readonly [Ir.Unary["function"], number, number, number]> = [
  ["exp", -87, 88, 2],
  ["log", 1e-30, 1e30, 2],
  ["log", 0.5, 2, 3],
  ["tanh", -12, 12, 4],
  ["erf", -5, 5, 4],
  ["sqrt", 0, 100, 1],
]

const worst = (
  device: DeviceService,
  name: Ir.Unary["function"],
  x: Float32Array,
  error: (found: number, expected: number) => number,
) =>
  Effect.map(runSchedule(device, Ir.scheduleOf(Kernels.unary(name, x.length)), [x]), ([found]) =>
    x.reduce((most, value, i) => {
      const expected = Ir.Scalar.unary(name, "f32", value)
      return Math.max(most, error(found[i], expected))
    }, 0),
  )

describeOn(device, "accuracy against f64", (device) => {
  for (const [name, low, high, bound] of bounds) {
    it.effect(`${name} on [${low}, ${high}] within ${bound} ulp`, () =>
      Effect.gen(function* () {
        const error = yield* worst(
          device,
          name,
          grid(low, high),
          (a, b) => Math.abs(a - b) / ulp(b),
        )
        console.log(`${name} on [${low}, ${high}]: ${error.toFixed(2)} ulp`)
        assert.isAtMost(error, bound)
      }),
    )
  }
  for (const name of ["sin", "cos"] as const) {
    it.effect(`${name} to 40,000 within 1.2e-7`, () =>
      Effect.gen(function* () {
        const absolute = (a: number, b: number) => Math.abs(a - b)
        const near = yield* worst(device, name, grid(-7, 7), absolute)
        const far = yield* worst(device, name, grid(-40_000, 40_000), absolute)
        console.log(
          `${name}: ${near.toExponential(1)} near zero, ${far.toExponential(1)} to 40,000`,
        )
        assert.isAtMost(Math.max(near, far), 1.2e-7)
      }),
    )
    it.effect(`${name} of what is far too large stays within [-1, 1]`, () =>
      Effect.gen(function* () {
        const x = Float32Array.from(
          { length: 200 },
          (_, i) => Math.exp(0.44 * i) * (i % 2 ? 1 : -1),
        )
        const [found] = yield* runSchedule(device, Ir.scheduleOf(Kernels.unary(name, x.length)), [
          x,
        ])
        for (const [i, value] of found.entries()) assert.isAtMost(Math.abs(value), 1, `${x[i]}`)
      }),
    )
  }
  it.effect("power within 3e-6 of the result over a wide range", () =>
    Effect.gen(function* () {
      const x = grid(0.1, 20)
      const y = grid(-20, 20).map((value, i) => (i % 2 === 0 ? value : -value))
      const kernel = Kernels.binary("power", x.length)
      const [found] = yield* runSchedule(device, Ir.scheduleOf(kernel), [x, y])
      const error = x.reduce((most, base, i) => {
        const expected = Math.pow(base, y[i])
        return Math.max(most, Math.abs(found[i] - expected) / Math.max(expected, 1e-37))
      }, 0)
      console.log(`power: relative ${error.toExponential(1)}`)
      assert.isAtMost(error, 3e-6)
    }),
  )
})
