import { Device, HostArray, Ir, Program, Spec, Tensor } from "@espalier/tensor"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { fromHalf, toHalf } from "./half.ts"
import { describeOn, gpuStrategy, openDevice, runSchedule } from "./testing/harness.ts"

const rounded = (x: number): number => fromHalf(toHalf(x))

/** `left · right` of `f16` matrices, stored as `f16`. */
const product = (m: number, n: number, k: number): Ir.ContractKernel => {
  const b = new Ir.ExpressionBuilder()
  const [vm, vn, vk] = [m, n, k].map((extent, i) => b.variable(i, extent))
  const half = (length: number, access: "read" | "write"): Ir.Operand => ({
    dtype: "f16",
    length,
    access,
  })
  return {
    kind: "contract",
    name: "half product",
    batch: [],
    m,
    n,
    k,
    operands: [half(m * k, "read"), half(k * n, "read"), half(m * n, "write")],
    left: b.load(0, b.linearize([vm, vk], [m, k]), "f16"),
    right: b.load(1, b.linearize([vk, vn], [k, n]), "f16"),
    outputs: [{ operand: 2, value: b.argument(0, "f16") }],
  }
}

const unroll = false
const devices = {
  "the kernels of this adapter": await openDevice(),
  "the kernels of a GPU": await openDevice({ override: { ...gpuStrategy(), unroll } }),
  "the kernels of a GPU with subgroups": await openDevice({
    override: { ...gpuStrategy(256, 8), unroll, contract: "broadcast" },
  }),
}

for (const [name, device] of Object.entries(devices)) {
  describeOn(device, `half precision with ${name}`, (device) => {
    if (!device.info.dtypes.includes("f16")) return
    it.effect("is summed in single precision", () =>
      Effect.gen(function* () {
        for (const [m, n, k] of [
          [16, 16, 4096],
          // Few outputs: sums by many lanes.
          [1, 3, 4096],
        ] as const) {
          const ones = (length: number) => new Float32Array(length).fill(1)
          const kernel = product(m, n, k)
          const [sums] = yield* runSchedule(device, Ir.scheduleOf(kernel), [
            ones(m * k),
            ones(k * n),
          ])
          // In half precision 2048 + 1 is 2048.
          assert.isTrue(sums.every((sum) => sum === 4096))
        }
      }),
    )
    it.effect("rounds where nothing is stored in between", () =>
      Effect.gen(function* () {
        const edges = [
          0.1,
          -1 / 3,
          2049,
          2051,
          65519,
          65520,
          1e9,
          -1e9,
          0,
          -0,
          Infinity,
          Number.NaN,
        ]
        const small = [2 ** -14, 2 ** -24, 2 ** -25, 3 * 2 ** -25, 1.5 * 2 ** -24, 6.1e-5]
        const x = Float32Array.from([...edges, ...small])
        const b = new Ir.ExpressionBuilder()
        const half = b.cast(b.load(0, b.variable(0, x.length), "f32"), "f16")
        const kernel: Ir.MapKernel = {
          kind: "map",
          name: "round",
          loops: [x.length],
          operands: [
            { dtype: "f32", length: x.length, access: "read" },
            { dtype: "f32", length: x.length, access: "write" },
          ],
          outputs: [{ operand: 1, value: b.cast(half, "f32") }],
        }
        const [found] = yield* runSchedule(device, Ir.scheduleOf(kernel), [x])
        assert.deepStrictEqual([...found], [...x].map(rounded))
      }),
    )
    it.effect("rounds once, when it is stored", () =>
      Effect.gen(function* () {
        const [m, n, k] = [9, 17, 40]
        const fill = (length: number, seed: number) =>
          Float32Array.from({ length }, (_, i) => rounded(Math.sin(seed * (i + 1))))
        const [x, y] = [fill(m * k, 1.3), fill(k * n, 2.1)]
        const [found] = yield* runSchedule(device, Ir.scheduleOf(product(m, n, k)), [x, y])
        for (let i = 0; i < m * n; i++) {
          let sum = 0
          for (let t = 0; t < k; t++) sum += x[Math.floor(i / n) * k + t] * y[t * n + (i % n)]
          assert.closeTo(found[i], sum, 2 ** -11 * Math.abs(sum) + 1e-5)
        }
      }),
    )
  })
}

describeOn(devices["the kernels of this adapter"], "programs in half precision", (device) => {
  it.effect("multiply in single precision", () =>
    Effect.gen(function* () {
      const program = Program.make("half", { x: Spec.f32([64, 64]) }, ({ x }) => {
        const small = Tensor.cast(x, "f16")
        const wide = Tensor.cast(small, "f32")
        return Tensor.cast(Tensor.cast(Tensor.matmul(wide, wide), "f16"), "f32")
      })
      const run = yield* Program.compile(program)
      const identity = Array.from({ length: 64 * 64 }, (_, i) => (i % 65 === 0 ? 0.1 : 0))
      const found = yield* Tensor.toArray(yield* run({ x: HostArray.make([64, 64], identity) }))
      assert.strictEqual(found[0], rounded(rounded(0.1) ** 2))
      assert.strictEqual(found[1], 0)
    }).pipe(Effect.scoped, Effect.provideService(Device, device)),
  )
})

describe("half precision on the host", () => {
  it("knows what f16 rounds to", () => assert.strictEqual(rounded(2049), 2048))
})
