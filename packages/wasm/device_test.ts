import { Device, Ir } from "@espalier/tensor"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Worker } from "node:worker_threads"
import * as Wasm from "./mod.ts"
import * as Kernels from "./testing/kernels.ts"
import { floats, runOn } from "./testing/run_kernel.ts"

const on = (options: Wasm.WasmOptions) => Effect.provide(Wasm.layer(options))

/** Lets the event loop turn: Node announces new workers there. */
const turn = Effect.promise(() => new Promise<void>((resolve) => void setImmediate(resolve)))

/** `out[i] = x[i] + 1`, in place where asked for. */
const increment = (length: number, inPlace: boolean): Ir.Schedule => {
  const b = new Ir.ExpressionBuilder()
  const value = b.binary("add", b.load(0, b.variable(0, length), "f32"), b.constant(1, "f32"))
  const schedule = Ir.scheduleOf({
    kind: "map",
    name: "increment",
    loops: [length],
    operands: [
      { dtype: "f32", length, access: "read" },
      { dtype: "f32", length, access: "write" },
    ],
    outputs: [{ operand: 1, value }],
  })
  return { ...schedule, inPlace: inPlace ? [{ output: 1, input: 0 }] : [] }
}

/** `out[i] = x[i + 1 mod n]`: wrong when it overwrites its own input. */
const rotate = (length: number): Ir.Schedule => {
  const b = new Ir.ExpressionBuilder()
  const next = b.remainder(b.add(b.variable(0, length), 1), length)
  return Ir.scheduleOf({
    kind: "map",
    name: "rotate",
    loops: [length],
    operands: [
      { dtype: "f32", length, access: "read" },
      { dtype: "f32", length, access: "write" },
    ],
    outputs: [{ operand: 1, value: b.load(0, next, "f32") }],
  })
}

describe("info", () => {
  it.effect("says what the device is", () =>
    Effect.gen(function* () {
      const { info } = yield* Device
      assert.strictEqual(info.kind, "wasm")
      assert.strictEqual(info.adapter, "WebAssembly SIMD (relaxed), 2 threads")
      assert.isFalse(info.software)
      assert.deepStrictEqual(info.dtypes, ["f32", "i32", "u32", "bool"])
    }).pipe(on({ threads: 2 })),
  )
})

describe("what is missing", () => {
  /** Lets the engine say no to modules from the `refused`-th question on. */
  const refusing = <A, E, R>(refused: number, body: Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const { validate } = WebAssembly
        let asked = 0
        WebAssembly.validate = (bytes) => ++asked < refused && validate(bytes)
        return validate
      }),
      () => body,
      (validate) => Effect.sync(() => void (WebAssembly.validate = validate)),
    )
  const adapter = Effect.map(Device, ({ info }) => info.adapter)

  it.effect("is said in the adapter's text", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* refusing(2, adapter.pipe(on({ threads: 1 }))),
        "WebAssembly SIMD, 1 thread; no fused multiply-add here",
      )
      assert.strictEqual(
        yield* adapter.pipe(on({ threads: 1, relaxedSimd: false })),
        "WebAssembly SIMD, 1 thread",
      )
    }),
  )

  it.effect("and without SIMD there is no device", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(refusing(1, adapter.pipe(on({ threads: 1 }))))
      assert.strictEqual(error._tag, "DeviceUnavailable")
      assert.include(error.message, "WebAssembly with 128-bit SIMD")
    }),
  )
})

describe("buffers", () => {
  it.effect("give back what was written", () =>
    Effect.gen(function* () {
      const device = yield* Device
      const buffer = yield* device.allocate("i32", 5)
      yield* device.write(buffer, "i32", Int32Array.of(1, -2, 3, -4, 5))
      assert.deepStrictEqual(yield* device.read(buffer, "i32", 5), Int32Array.of(1, -2, 3, -4, 5))
      device.free(buffer)
    }).pipe(on({ threads: 2 })),
  )

  it.effect("of other dtypes are refused", () =>
    Effect.gen(function* () {
      const device = yield* Device
      const error = yield* Effect.flip(device.allocate("f64", 5))
      assert.strictEqual(error._tag, "UnsupportedDType")
    }).pipe(on({ threads: 1 })),
  )

  it.effect("that do not fit fail with numbers, and freeing helps", () =>
    Effect.gen(function* () {
      const device = yield* Device
      const first = yield* device.allocate("f32", 200_000)
      const error = yield* Effect.flip(device.allocate("f32", 100_000))
      assert.strictEqual(error._tag, "OutOfMemory")
      if (error._tag === "OutOfMemory") {
        assert.strictEqual(error.requestedBytes, 400_000)
        assert.strictEqual(error.limitBytes, 2 ** 20)
      }
      device.free(first)
      device.free(yield* device.allocate("f32", 100_000))
    }).pipe(on({ threads: 1, memoryLimitBytes: 2 ** 20 })),
  )
})

describe("memory past 4 GiB", () => {
  it.effect("is refused with numbers and a way out", () =>
    Effect.gen(function* () {
      const device = yield* Device
      const error = yield* Effect.flip(device.allocate("f32", 1.5 * 2 ** 30))
      assert.strictEqual(error._tag, "OutOfMemory")
      if (error._tag === "OutOfMemory") {
        assert.strictEqual(error.requestedBytes, 6 * 2 ** 30)
        assert.strictEqual(error.limitBytes, 2 ** 32)
        assert.include(error.hint, "4096 MiB in all")
      }
      assert.strictEqual(device.statistics().liveBytes, 0)
      device.free(yield* device.allocate("f32", 16))
    }).pipe(on({ threads: 1, memoryLimitBytes: 2 ** 33 })),
  )
})

describe("programs", () => {
  it.effect("give all memory back with their scope, and share compiled kernels", () =>
    Effect.gen(function* () {
      const device = yield* Device
      const before = device.statistics()
      yield* runOn(device, Kernels.contractCase(70, 70, 70))
      yield* runOn(device, Kernels.contractCase(70, 70, 70))
      const after = device.statistics()
      assert.strictEqual(after.liveBytes, before.liveBytes)
      assert.strictEqual(after.programs, 0)
      assert.strictEqual(after.dispatches, before.dispatches + 2)
    }).pipe(on({ threads: 1, poison: true })),
  )

  it.effect("whose workspace does not fit fail, and the device goes on", () =>
    Effect.gen(function* () {
      const device = yield* Device
      const schedule = { ...increment(4, false), arenaBytes: 2 ** 21 }
      const error = yield* Effect.flip(Effect.scoped(device.compile(schedule)))
      assert.strictEqual(error._tag, "OutOfMemory")
      assert.strictEqual(device.statistics().liveBytes, 0)
      yield* runOn(device, Kernels.mapCase(3, 5, "plain"))
    }).pipe(on({ threads: 1, memoryLimitBytes: 2 ** 20 })),
  )

  it.effect("without code for a function fail with the kernel's name", () =>
    Effect.gen(function* () {
      const device = yield* Device
      const b = new Ir.ExpressionBuilder()
      const x = b.load(0, b.variable(0, 4), "i32")
      const schedule = Ir.scheduleOf({
        kind: "map",
        name: "sine of integers",
        loops: [4],
        operands: [
          { dtype: "i32", length: 4, access: "read" },
          { dtype: "i32", length: 4, access: "write" },
        ],
        outputs: [{ operand: 1, value: b.unary("sin", x) }],
      })
      const error = yield* Effect.flip(Effect.scoped(device.compile(schedule)))
      assert.strictEqual(error._tag, "CompileError")
      assert.include(error.message, "sine of integers")
    }).pipe(on({ threads: 1 })),
  )

  it.effect("update a donated input in place", () =>
    Effect.gen(function* () {
      const device = yield* Device
      const { run } = yield* device.compile(increment(67, true))
      const buffer = yield* device.allocate("f32", 67)
      yield* device.write(buffer, "f32", new Float32Array(67).fill(4))
      yield* run([buffer], [buffer])
      yield* run([buffer], [buffer])
      const values = yield* device.read(buffer, "f32", 67)
      assert.isTrue(values.every((value) => value === 6))
      device.free(buffer)
    }).pipe(Effect.scoped, on({ threads: 1, poison: true })),
  )

  it.effect("copy an input that an output overwrites unannounced", () =>
    Effect.gen(function* () {
      const device = yield* Device
      const { run } = yield* device.compile(rotate(67))
      const buffer = yield* device.allocate("f32", 67)
      const values = floats(67)
      yield* device.write(buffer, "f32", values)
      const before = device.statistics().liveBytes
      yield* run([buffer], [buffer])
      const rotated = Float32Array.from(values, (_, i) => values[(i + 1) % 67])
      assert.deepStrictEqual(yield* device.read(buffer, "f32", 67), rotated)
      assert.strictEqual(device.statistics().liveBytes, before)
      device.free(buffer)
    }).pipe(Effect.scoped, on({ threads: 1 })),
  )
})

describe("threads", () => {
  it.effect("that die make the device lost", () =>
    Effect.gen(function* () {
      const started: Array<Worker> = []
      const remember = (worker: Worker): void => void started.push(worker)
      process.on("worker", remember)
      yield* Effect.gen(function* () {
        const device = yield* Device
        const kernelCase = Kernels.contractCase(256, 256, 256)
        yield* runOn(device, kernelCase)
        yield* turn
        yield* Effect.promise(() => started[0].terminate())
        const error = yield* Effect.flip(runOn(device, kernelCase))
        assert.strictEqual(error._tag, "DeviceLost")
      }).pipe(on({ threads: 2 }))
      process.off("worker", remember)
    }),
  )

  it.effect("end with the layer", () =>
    Effect.gen(function* () {
      const started: Array<Worker> = []
      const remember = (worker: Worker): void => void started.push(worker)
      process.on("worker", remember)
      let ended = 0
      yield* Effect.gen(function* () {
        yield* Device
        yield* turn
        for (const worker of started) worker.on("exit", () => void ended++)
      }).pipe(on({ threads: 3 }))
      process.off("worker", remember)
      assert.strictEqual(ended, 2)
    }),
  )
})
