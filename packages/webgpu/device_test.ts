import type { ProgressUpdate } from "@espalier/runtime"
import { Progress } from "@espalier/runtime"
import { Ir } from "@espalier/tensor"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { makeDevice } from "./device.ts"
import { fromHalf, toHalf } from "./half.ts"
import { describeOn, openDevice, runSchedule, values } from "./testing/harness.ts"
import * as Kernels from "./testing/kernels.ts"

const device = await openDevice({ poison: true })

describeOn(device, "memory", (device) => {
  it.effect("is counted while it is held, and recycled", () =>
    Effect.gen(function* () {
      const before = device.statistics().liveBytes
      const first = yield* device.allocate("f32", 1000)
      assert.strictEqual(first.bytes, 4000)
      assert.strictEqual(device.statistics().liveBytes, before + 4000)
      device.free(first)
      const second = yield* device.allocate("i32", 990)
      assert.strictEqual(device.statistics().liveBytes, before + 3960)
      device.free(second)
      device.free(second)
      assert.strictEqual(device.statistics().liveBytes, before)
    }),
  )
  it.effect("is NaN before it is written, where poison is asked for", () =>
    Effect.gen(function* () {
      const buffer = yield* device.allocate("f32", 5)
      assert.isTrue((yield* device.read(buffer, "f32", 5)).every(Number.isNaN))
      device.free(buffer)
    }),
  )
  it.effect("holds what was written, of every dtype and of odd length", () =>
    Effect.gen(function* () {
      const round = (
        dtype: "f32" | "i32" | "u32" | "bool",
        data: Float32Array | Int32Array | Uint32Array,
      ) =>
        Effect.gen(function* () {
          const buffer = yield* device.allocate(dtype, data.length)
          yield* device.write(buffer, dtype, data)
          assert.deepStrictEqual(yield* device.read(buffer, dtype, data.length), data)
          device.free(buffer)
        })
      yield* round("f32", Float32Array.of(1, -0, 3e38))
      yield* round("i32", Int32Array.of(-2147483648, 2147483647, 0))
      yield* round("u32", Uint32Array.of(4294967295))
      yield* round("bool", Uint32Array.of(1, 0, 1))
      const empty = yield* device.allocate("f32", 0)
      assert.strictEqual((yield* device.read(empty, "f32", 0)).length, 0)
      device.free(empty)
    }),
  )
  it.effect("ends with a number in the message", () =>
    Effect.gen(function* () {
      const { maximumBufferBytes } = device.info
      const error = yield* Effect.flip(device.allocate("f32", maximumBufferBytes / 4 + 1))
      assert.strictEqual(error._tag, "OutOfMemory")
      assert.include(error.message, `${maximumBufferBytes + 4} bytes (limit ${maximumBufferBytes})`)
    }),
  )
  it.effect("has no f64", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(device.allocate("f64", 1))
      assert.strictEqual(error._tag, "UnsupportedDType")
    }),
  )
})

describeOn(device, "programs", (device) => {
  it.effect("may be given one buffer twice", () =>
    Effect.gen(function* () {
      const executable = yield* device.compile(Ir.scheduleOf(Kernels.binary("add", 3)))
      const [x, out] = [yield* device.allocate("f32", 3), yield* device.allocate("f32", 3)]
      yield* device.write(x, "f32", Float32Array.of(1, 2, 3))
      yield* executable.run([x, x], [out])
      assert.deepStrictEqual([...(yield* device.read(out, "f32", 3))], [2, 4, 6])
      device.free(x)
      device.free(out)
    }),
  )
  it.effect("update a donated input in place", () =>
    Effect.gen(function* () {
      const kernel = Kernels.scatter(1, 3, 2, "add", true)
      const executable = yield* device.compile(
        Ir.scheduleOf(kernel, { inPlace: [{ output: 3, input: 2 }] }),
      )
      const rows = yield* device.allocate("i32", 1)
      const updates = yield* device.allocate("f32", 2)
      const table = yield* device.allocate("f32", 6)
      yield* device.write(rows, "i32", Int32Array.of(1))
      yield* device.write(updates, "f32", Float32Array.of(10, 20))
      yield* device.write(table, "f32", Float32Array.of(1, 2, 3, 4, 5, 6))
      yield* executable.run([rows, updates, table], [table])
      const found = yield* device.read(table, "f32", 6)
      assert.deepStrictEqual([...found], [1, 2, 13, 24, 5, 6])
      for (const buffer of [rows, updates, table]) device.free(buffer)
    }),
  )
  it.effect("are counted, and share compiled kernels", () =>
    Effect.gen(function* () {
      const before = device.statistics()
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* device.compile(Ir.scheduleOf(Kernels.scan(3, 4)))
          yield* device.compile(Ir.scheduleOf(Kernels.scan(3, 4)))
          assert.strictEqual(device.statistics().programs, before.programs + 2)
        }),
      )
      assert.deepStrictEqual(device.statistics(), before)
    }),
  )
  it.effect("say how far their compilation is", () =>
    Effect.gen(function* () {
      const seen: Array<ProgressUpdate> = []
      yield* device.compile(Ir.scheduleOf(Kernels.scan(3, 4))).pipe(
        Effect.scoped,
        Effect.provideService(Progress, {
          report: (update) => Effect.sync(() => void seen.push(update)),
        }),
      )
      const update = { task: "compiling recurrence", total: 1, unit: "kernels" }
      assert.deepStrictEqual(seen, [
        { ...update, completed: 0 },
        { ...update, completed: 1 },
      ])
    }),
  )
  it.effect("say which line the WGSL compiler refused", () =>
    Effect.gen(function* () {
      const b = new Ir.ExpressionBuilder()
      const kernel: Ir.MapKernel = {
        kind: "map",
        name: "sqrt of integers",
        loops: [4],
        operands: [
          { dtype: "i32", length: 4, access: "read" },
          { dtype: "i32", length: 4, access: "write" },
        ],
        outputs: [{ operand: 1, value: b.unary("sqrt", b.load(0, b.variable(0, 4), "i32")) }],
      }
      const error = yield* Effect.flip(device.compile(Ir.scheduleOf(kernel)))
      assert.strictEqual(error._tag, "CompileError")
      assert.include(error.message, "sqrt of integers of sqrt of integers")
      assert.match(error.message, /at \d+:\d+: b1\[position\] = sqrt\(/)
    }),
  )
  it.effect("say when a kernel binds more buffers than the adapter allows", () =>
    Effect.gen(function* () {
      const b = new Ir.ExpressionBuilder()
      const count = 200
      const sum = Array.from({ length: count }, (_, i) =>
        b.load(i, b.variable(0, 2), "f32"),
      ).reduce((left, right) => b.binary("add", left, right))
      const kernel: Ir.MapKernel = {
        kind: "map",
        name: "sum of many",
        loops: [2],
        operands: Array.from({ length: count + 1 }, (_, i) => ({
          dtype: "f32",
          length: 2,
          access: i < count ? "read" : "write",
        })),
        outputs: [{ operand: count, value: sum }],
      }
      const error = yield* Effect.flip(device.compile(Ir.scheduleOf(kernel)))
      assert.match(error.message, /binds 201 buffers, and the adapter allows \d+/)
    }),
  )
  it.effect("convert to f16 and back, where the adapter can", () =>
    Effect.gen(function* () {
      if (!device.info.dtypes.includes("f16")) return
      const x = values(7)
      const [halves] = yield* runSchedule(device, Ir.scheduleOf(Kernels.cast("f32", "f16", 7)), [x])
      assert.deepStrictEqual(
        [...halves],
        [...x].map((value) => fromHalf(toHalf(value))),
      )
      const [floats] = yield* runSchedule(device, Ir.scheduleOf(Kernels.cast("f16", "f32", 7)), [x])
      assert.deepStrictEqual(floats, halves)
    }),
  )
})

describeOn(device, "a device that is gone", () => {
  it.effect("says so on every call", () =>
    Effect.gen(function* () {
      const { gone, buffer, executable } = yield* Effect.scoped(
        Effect.gen(function* () {
          const gone = yield* makeDevice({})
          const executable = yield* gone.compile(Ir.scheduleOf(Kernels.unary("exp", 2)))
          return { gone, buffer: yield* gone.allocate("f32", 2), executable }
        }),
      )
      const failures = [
        yield* Effect.flip(gone.read(buffer, "f32", 2)),
        yield* Effect.flip(gone.write(buffer, "f32", Float32Array.of(1, 2))),
        yield* Effect.flip(executable.run([buffer], [buffer])),
      ]
      for (const failure of failures) {
        assert.strictEqual(failure._tag, "DeviceLost")
        assert.include(failure.message, "the scope of its layer is closed")
      }
    }),
  )
})

describeOn(device, "an error that nobody waited for", () => {
  it.effect("is a defect of the next call", () =>
    Effect.gen(function* () {
      const broken = yield* makeDevice({})
      const buffer = yield* broken.allocate("f32", 2)
      yield* broken.write(buffer, "f32", values(1000))
      const exit = yield* Effect.exit(broken.read(buffer, "f32", 2))
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "WriteBuffer")
    }),
  )
})

describe("half precision", () => {
  it("rounds half to even, keeps subnormals, infinities and NaN", () => {
    const pairs: ReadonlyArray<readonly [number, number]> = [
      [0, 0],
      [-0, 0x8000],
      [1, 0x3c00],
      [-2, 0xc000],
      [65504, 0x7bff],
      [65519, 0x7bff],
      [65520, 0x7c00],
      [2 ** -24, 1],
      [2 ** -25, 0],
      [1.5 * 2 ** -24, 2],
      [2 ** -14, 0x400],
      [1 + 2 ** -11, 0x3c00],
      [1 + 3 * 2 ** -11, 0x3c02],
      [-Infinity, 0xfc00],
      [Number.NaN, 0x7e00],
    ]
    for (const [value, half] of pairs) assert.strictEqual(toHalf(value), half, String(value))
    for (let half = 0; half < 0x7c00; half += 13) assert.strictEqual(toHalf(fromHalf(half)), half)
  })
})
