import type { DeviceService, HostData } from "@espalier/tensor"
import { Ir } from "@espalier/tensor"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  describeOn,
  gpuStrategy,
  openDevice,
  reference,
  runSchedule,
  values,
} from "./testing/harness.ts"
import * as Kernels from "./testing/kernels.ts"
import * as Rows from "./testing/row_kernels.ts"
import type { Strategy } from "./templates/strategy.ts"

/** The choices of a GPU, forced on whatever adapter there is, from small sizes on. */
const gpu = (subgroup: number): Strategy => ({
  ...gpuStrategy(256, subgroup),
  vectorElements: 1,
  reduce: "lanes",
  reduceLanes: 32,
  rowLanes: 64,
  scan: "lanes",
  scanLanes: 32,
  scatterFew: 2,
  scatterTiles: 3,
  lanes: 64,
  unroll: false,
})
const hardware = await openDevice({ poison: true, override: gpu(0) })
const subgroups = await openDevice({ poison: true, override: { ...gpu(8), contractTile: 8 } })
/** Long folds and scans in pieces, from small sizes on. */
const pieces = await openDevice({
  poison: true,
  override: {
    splitLength: 50,
    splitOutputs: 100,
    splitChunks: 7,
    scan: "auto",
    splitProduct: 2 ** 14,
  },
})
const adapted = await openDevice({ poison: true })
const oneLane = await openDevice({ poison: true, override: { lanes: 1, vectorElements: 2 ** 30 } })

const inputsOf = (kernel: Ir.Kernel): ReadonlyArray<HostData> =>
  kernel.operands
    .filter(({ access }) => access === "read")
    .map(({ dtype, length }, i) => {
      const random = values(length, i + 7)
      if (dtype === "f32") return random
      const limit = kernel.kind === "scatter" ? kernel.rows + 2 : 9
      const whole = random.map((x) => Math.floor(((x + 1) / 2) * limit) - 1)
      return dtype === "i32" ? Int32Array.from(whole) : Uint32Array.from(whole, (x) => x + 1)
    })

const agrees = (
  device: DeviceService,
  kernel: Ir.Kernel,
  tolerance = 3e-6,
  inPlace: Ir.Schedule["inPlace"] = [],
) =>
  Effect.gen(function* () {
    const inputs = inputsOf(kernel)
    const found = yield* runSchedule(device, Ir.scheduleOf(kernel, { inPlace }), inputs)
    const expected = yield* runSchedule(reference, Ir.scheduleOf(kernel), inputs)
    for (const [o, values] of expected.entries()) {
      const scale = Array.from(values).reduce((most, x) => Math.max(most, Math.abs(x)), 1e-30)
      for (const [i, x] of values.entries()) {
        const error = Math.abs(found[o][i] - x)
        assert.isTrue(error <= tolerance * scale, `${kernel.name} [${i}]: ${found[o][i]} for ${x}`)
      }
    }
  })

const cases: ReadonlyArray<readonly [string, ReadonlyArray<Ir.Kernel>]> = [
  [
    "map",
    [
      Kernels.map(1, 1),
      Kernels.map(7, 9),
      Kernels.map(65, 3),
      Kernels.map(1, 257),
      Kernels.map(3, 68),
      Kernels.shifted(5, 12),
    ],
  ],
  [
    "reduce",
    [
      Kernels.reduce([1], [1]),
      Kernels.reduce([5], [67]),
      Kernels.reduce([], [5000]),
      Kernels.reduce([3, 2], [1, 300]),
      Kernels.reduce([33], [3, 130], "maximum"),
      Kernels.reduce([2], [150, 3]),
    ],
  ],
  ["reduce in order", [Kernels.orderedReduce(3, 5), Kernels.orderedReduce(2, 333)]],
  ["scan", [Kernels.scan(1, 1), Kernels.scan(65, 3), Kernels.scan(3, 130)]],
  [
    "contract",
    [
      Kernels.contract(1, 1, 1, 1),
      Kernels.contract(1, 1, 33, 70, true),
      Kernels.contract(2, 5, 7, 3),
      Kernels.contract(1, 17, 16, 33),
      Kernels.contract(1, 65, 63, 17, true),
      Kernels.contract(3, 33, 20, 40),
      Kernels.contract(1, 130, 70, 121),
      // Large enough for every kind of kernel.
      Kernels.contract(1, 67, 130, 44, true),
      Kernels.contract(2, 50, 49, 60),
      // Long sums of few outputs.
      Kernels.contract(2, 3, 20, 384),
      Kernels.contract(1, 1, 40, 512),
    ],
  ],
  [
    "rows",
    [
      Rows.softmax(1, 1),
      Rows.softmax(3, 7),
      Rows.softmax(70, 33),
      Rows.softmax(17, 500),
      Rows.groupShares([3, 5], 1, 40),
      Rows.groupShares([2, 9], 3, 5),
      Rows.groupShares([2, 1], 70, 2),
      Rows.groupShares([1, 2], 2, 200),
    ],
  ],
  [
    "scatter",
    [
      Kernels.scatter(1, 1, 1, "set", false),
      Kernels.scatter(9, 5, 7, "set", true),
      Kernels.scatter(70, 5, 65, "add", false),
      Kernels.scatter(130, 9, 3, "add", true),
      Kernels.scatter(100, 300, 64, "add", true),
      Kernels.scatter(100, 17_000, 1, "set", false),
    ],
  ],
]

for (const [title, device] of [
  ["kernels of this adapter", adapted],
  ["kernels of a GPU", hardware],
  ["kernels of a GPU with subgroups", subgroups],
  ["kernels in pieces", pieces],
] as const) {
  describeOn(device, title, (device) => {
    for (const [name, kernels] of cases) {
      it.effect(name, () => Effect.forEach(kernels, (kernel) => agrees(device, kernel)))
    }
    it.effect("scatter in place", () =>
      Effect.forEach(
        [Kernels.scatter(3, 5, 7, "set", true), Kernels.scatter(70, 5, 65, "add", true)],
        (kernel) => agrees(device, kernel, 3e-6, [{ output: 3, input: 2 }]),
      ),
    )
  })
}

describeOn(oneLane, "more than 65535 workgroups", (device) => {
  it.effect("map", () => agrees(device, Kernels.map(65539, 1)))
  it.effect("scan", () => agrees(device, Kernels.scan(65537, 2)))
})

describeOn(adapted, "scalars that traps are made of", (device) => {
  const run = (kernel: Ir.Kernel, ...inputs: ReadonlyArray<HostData>) =>
    Effect.map(runSchedule(device, Ir.scheduleOf(kernel), inputs), (outputs) => [...outputs[0]])
  const lowest = -3.4028234663852886e38

  it.effect("floats become integers by truncation and saturate", () =>
    Effect.gen(function* () {
      const floats = Float32Array.of(1.9, -1.9, 3e9, -3e9, 5e9, Number.NaN, -0.5, 2147483520)
      const signed = yield* run(Kernels.cast("f32", "i32", 8), floats)
      assert.deepStrictEqual(signed, [1, -1, 2147483647, -2147483648, 2147483647, 0, 0, 2147483520])
      const unsigned = yield* run(Kernels.cast("f32", "u32", 8), floats)
      assert.deepStrictEqual(unsigned, [1, 0, 3000000000, 0, 4294967295, 0, 0, 2147483520])
    }),
  )
  it.effect("integers divide towards zero, and by zero give zero", () =>
    Effect.gen(function* () {
      const left = Int32Array.of(7, -7, 7, -7, 5, -2147483648)
      const right = Int32Array.of(2, 2, -2, -2, 0, -1)
      const quotients = yield* run(Kernels.binary("divide", 6, "i32"), left, right)
      assert.deepStrictEqual(quotients, [3, -3, -3, 3, 0, -2147483648])
      const rests = yield* run(Kernels.binary("remainder", 6, "i32"), left, right)
      assert.deepStrictEqual(rests, [1, -1, 1, -1, 0, 0])
    }),
  )
  it.effect("the lowest number survives as an identity, NaN passes through max", () =>
    Effect.gen(function* () {
      const left = Float32Array.of(lowest, 1, Number.NaN, -Infinity)
      const right = Float32Array.of(lowest, Number.NaN, 1, lowest)
      const largest = yield* run(Kernels.binary("maximum", 4), left, right)
      assert.deepStrictEqual(largest, [lowest, Number.NaN, Number.NaN, lowest])
    }),
  )
  it.effect("round is half to even, tanh does not overflow, exp ends in infinity", () =>
    Effect.gen(function* () {
      const halves = yield* run(Kernels.unary("round", 4), Float32Array.of(0.5, 1.5, 2.5, -2.5))
      assert.deepStrictEqual(
        halves.map((x) => x + 0),
        [0, 2, 2, -2],
      )
      const flat = yield* run(Kernels.unary("tanh", 3), Float32Array.of(1000, -1000, 1e30))
      assert.deepStrictEqual(flat, [1, -1, 1])
      const powers = yield* run(Kernels.unary("exp", 3), Float32Array.of(1000, -1000, Number.NaN))
      assert.deepStrictEqual(powers, [Infinity, 0, Number.NaN])
      const logs = yield* run(Kernels.unary("log", 3), Float32Array.of(0, -1, 1))
      assert.deepStrictEqual(logs, [-Infinity, Number.NaN, 0])
    }),
  )
  it.effect("powers of negative numbers and of zero", () =>
    Effect.gen(function* () {
      const left = Float32Array.of(-2, -2, -2, 0, 0, 4, -1)
      const right = Float32Array.of(3, 2, 0.5, 2, -1, 0.5, -3)
      const found = yield* run(Kernels.binary("power", 7), left, right)
      assert.deepStrictEqual(found, [-8, 4, Number.NaN, 0, Infinity, 2, -1])
    }),
  )
})
