import { Ir } from "@espalier/tensor"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeOn, openDevice, reference, runSchedule } from "./testing/harness.ts"

const device = await openDevice({ poison: true })

/** A map from buffers to buffers, over four elements. */
const step = (
  from: ReadonlyArray<number>,
  to: number,
  make: (b: Ir.ExpressionBuilder, x: ReadonlyArray<Ir.Expression>) => Ir.Expression,
): Ir.ScheduleStep => {
  const b = new Ir.ExpressionBuilder()
  const at = b.variable(0, 4)
  const loads = from.map((_, i) => b.load(i, at, "f32"))
  const operands = [...from, to].map((_, i): Ir.Operand => ({
    dtype: "f32",
    length: 4,
    access: i < from.length ? "read" : "write",
  }))
  return {
    kernel: {
      kind: "map",
      name: "step",
      loops: [4],
      operands,
      outputs: [{ operand: from.length, value: make(b, loads) }],
    },
    buffers: [...from, to],
  }
}

/** `y = x; count times: (inner times: t = y + 1; y = t); t = 2 y; y = t`. */
const looped = (count: number, inner: number): Ir.Schedule => ({
  name: "loop",
  hash: "",
  buffers: [
    { id: 0, dtype: "f32", length: 4, role: "input" },
    { id: 1, dtype: "f32", length: 4, role: "output" },
    { id: 2, dtype: "f32", length: 4, role: "temporary", offset: 0 },
  ],
  steps: [
    step([0], 1, (_, [x]) => x),
    step([1], 2, (b, [y]) => b.binary("add", y, b.constant(1, "f32"))),
    step([2], 1, (_, [t]) => t),
    step([1], 2, (b, [y]) => b.binary("multiply", y, b.constant(0.5, "f32"))),
    step([2], 1, (_, [t]) => t),
  ],
  repeats: [
    { from: 1, to: 3, count: inner },
    { from: 1, to: 5, count },
  ],
  arenaBytes: 16,
  inputs: [0],
  outputs: [1],
  inPlace: [],
})

describeOn(device, "steps that run several times", (device) => {
  for (const [count, inner] of [
    [1, 1],
    [3, 2],
    [0, 4],
    // More dispatches than one submit takes.
    [1500, 3],
  ] as const) {
    it.effect(`${count} times, with an inner loop of ${inner}`, () =>
      Effect.gen(function* () {
        const x = Float32Array.of(1, 2, 3, 4)
        const before = device.statistics().dispatches
        const [found] = yield* runSchedule(device, looped(count, inner), [x])
        const [expected] = yield* runSchedule(reference, looped(count, inner), [x])
        for (const [i, y] of expected.entries()) assert.closeTo(found[i], y, 1e-5 * Math.abs(y))
        assert.strictEqual(device.statistics().dispatches - before, 1 + count * (2 * inner + 2))
      }),
    )
  }
})
