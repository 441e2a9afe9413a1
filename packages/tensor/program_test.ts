import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { Device } from "./device.ts"
import * as DeviceArray from "./device_array.ts"
import { ArrayGone, InputMismatch } from "./errors.ts"
import * as HostArray from "./host_array.ts"
import * as Interpreter from "./interpreter.ts"
import * as Program from "./program.ts"
import { Scalar, Spec } from "./program.ts"
import * as T from "./tensor_functions.ts"

const liveBytes = Effect.map(Device, (device) => device.statistics().liveBytes)
const host = (...values: ReadonlyArray<number>) => HostArray.make([values.length], values)

const double = Program.make("double", { x: Spec.f32([3]) }, ({ x }) => T.add(x, x))

const append = Program.make(
  "append",
  { cache: Spec.f32([4, 2]), at: Spec.i32([1]), row: Spec.f32([1, 2]) },
  ({ cache, at, row }) => ({ cache: T.updateRows(cache, at, row) }),
)
const zeros = HostArray.make([4, 2], [0, 0, 0, 0, 0, 0, 0, 0])
const at = (position: number) => HostArray.make([1], [position], "i32")
const row = HostArray.make([1, 2], [7, 8])

describe("running a program", () => {
  it.effect("leaves on the host what no kernel reads", () =>
    Effect.gen(function* () {
      const parameters = { used: Spec.f32([3]), unused: Spec.f32([1000]) }
      const first = Program.make("first", { parameters }, (i) => T.add(i.parameters.used, 1))
      const run = yield* Program.compile(first)
      const before = yield* liveBytes
      const unused = HostArray.make([1000], new Float32Array(1000))
      yield* Effect.scoped(run({ parameters: { used: host(1, 2, 3), unused } }))
      assert.strictEqual(yield* liveBytes, before)
      const device = yield* Device
      let largest = 0
      const watched = {
        ...device,
        allocate: (...[dtype, length]: Parameters<typeof device.allocate>) => {
          largest = Math.max(largest, length)
          return device.allocate(dtype, length)
        },
      }
      const again = yield* Program.compile(first).pipe(Effect.provideService(Device, watched))
      yield* again({ parameters: { used: host(1, 2, 3), unused } })
      assert.strictEqual(largest, 3)
    }).pipe(Effect.scoped, Effect.provide(Interpreter.layer)),
  )

  it.effect("takes arrays of the host, arrays of the device and numbers", () =>
    Effect.gen(function* () {
      const scale = Program.make("scale", { x: Spec.f32([3]), by: Scalar, n: Spec.i32([]) }, (i) =>
        T.mul(T.mul(i.x, i.by), T.cast(i.n, "f32")),
      )
      const run = yield* Program.compile(scale)
      const fromHost = yield* run({ x: host(1, 2, 3), by: 0.1, n: 2 })
      assert.deepStrictEqual(yield* T.toArray(fromHost), [0.2, 0.4, 0.30000000000000004 * 2])
      const again = yield* run({ x: fromHost, by: HostArray.make([], [10]), n: 1 })
      assert.deepStrictEqual(yield* T.toArray(again), [2, 4, 0.30000000000000004 * 20])
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("gives back the tree that was built, and keeps what was given", () =>
    Effect.gen(function* () {
      const program = Program.make("tree", { a: { b: [Spec.f32([2])] } }, ({ a }) => ({
        first: a.b[0],
        rest: [T.neg(a.b[0]), { deep: T.sum(a.b[0]) }] as const,
      }))
      const run = yield* Program.compile(program)
      const x = yield* DeviceArray.fromHost(host(3, 4))
      const out = yield* run({ a: { b: [x] } })
      assert.deepStrictEqual(yield* T.toArray(out.first), [3, 4])
      assert.deepStrictEqual(yield* T.toArray(out.rest[0]), [-3, -4])
      assert.deepStrictEqual(yield* T.toArray(out.rest[1].deep), [7])
      assert.deepStrictEqual(yield* T.toArray(x), [3, 4])
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("takes the same array for two inputs", () =>
    Effect.gen(function* () {
      const program = Program.make("both", { x: Spec.f32([3]), y: Spec.f32([3]) }, ({ x, y }) =>
        T.mul(x, y),
      )
      const run = yield* Program.compile(program)
      const x = yield* DeviceArray.fromHost(host(1, 2, 3))
      assert.deepStrictEqual(yield* T.toArray(yield* run({ x, y: x })), [1, 4, 9])
    }).pipe(Effect.provide(Interpreter.layer)),
  )
})

describe("inputs that do not fit", () => {
  const refused = (inputs: unknown) =>
    Effect.gen(function* () {
      const program = Program.make(
        "step",
        { model: { weights: [Spec.f32([2, 3])] }, rate: Scalar },
        ({ model, rate }) => T.mul(model.weights[0], rate),
      )
      const run = yield* Program.compile(program)
      const before = yield* liveBytes
      const error = yield* Effect.flip(run(inputs as never))
      assert.instanceOf(error, InputMismatch)
      assert.strictEqual(yield* liveBytes, before)
      return error.message
    }).pipe(Effect.scoped, Effect.provide(Interpreter.layer))
  const weights = HostArray.make([2, 3], [1, 2, 3, 4, 5, 6])

  it.effect("a wrong shape names the input and both shapes", () =>
    Effect.gen(function* () {
      const message = yield* refused({ model: { weights: [host(1, 2)] }, rate: 1 })
      assert.strictEqual(
        message,
        "step expects f32 [2, 3] for model.weights.0 and was given f32 [2]",
      )
    }),
  )
  it.effect("so do a wrong dtype, a number for a matrix and data of the wrong length", () =>
    Effect.gen(function* () {
      const integers = HostArray.make([2, 3], [1, 2, 3, 4, 5, 6], "i32")
      assert.include(yield* refused({ model: { weights: [integers] }, rate: 1 }), "i32 [2, 3]")
      assert.include(yield* refused({ model: { weights: [1] }, rate: 1 }), "given a number")
      const short = { ...weights, data: new Float32Array(5) }
      assert.include(yield* refused({ model: { weights: [short] }, rate: 1 }), "with 5 values")
    }),
  )
  it.effect("missing and unknown inputs are named", () =>
    Effect.gen(function* () {
      const missing = yield* refused({ model: { weights: [weights] } })
      assert.strictEqual(missing, "step expects f32 [] for rate and was given nothing")
      const misspelt = yield* refused({ model: { weights: [weights] }, rat: 1 })
      assert.include(misspelt, "for rate and was given nothing")
      const more = yield* refused({ model: { weights: [weights, weights] }, rate: 1 })
      assert.strictEqual(more, "step expects nothing for model.weights.1 and was given f32 [2, 3]")
    }),
  )
  it.effect("an array of another device is refused", () =>
    Effect.gen(function* () {
      const foreign = yield* Effect.provide(DeviceArray.fromHost(host(1, 2, 3)), Interpreter.layer)
      const error = yield* Effect.gen(function* () {
        const run = yield* Program.compile(double)
        return yield* Effect.flip(run({ x: foreign }))
      }).pipe(Effect.provide(Interpreter.layer))
      assert.include(error.message, "another device (interpreter)")
    }),
  )
})

describe("donation", () => {
  it.effect("takes the array away and says where it went", () =>
    Effect.gen(function* () {
      const run = yield* Program.compile(append)
      const cache = yield* DeviceArray.fromHost(zeros)
      const next = yield* run({ cache, at: at(2), row }, { donate: ["cache"] })
      assert.deepStrictEqual(yield* T.toArray(next.cache), [0, 0, 0, 0, 7, 8, 0, 0])
      const error = yield* Effect.flip(run({ cache, at: at(0), row }))
      assert.instanceOf(error, ArrayGone)
      assert.include(error.message, "it was donated to append")
      assert.instanceOf(yield* Effect.flip(T.toArray(cache)), ArrayGone)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("updates a cache in its own memory", () =>
    Effect.gen(function* () {
      const run = yield* Program.compile(append)
      let cache = yield* DeviceArray.fromHost(zeros)
      const [buffer, bytes] = [cache.buffer, yield* liveBytes]
      for (let position = 0; position < 4; position++) {
        const next = yield* run({ cache, at: at(position), row }, { donate: ["cache"] })
        cache = next.cache
        assert.strictEqual(cache.buffer, buffer)
        assert.strictEqual(yield* liveBytes, bytes)
      }
      assert.deepStrictEqual(yield* T.toArray(cache), [7, 8, 7, 8, 7, 8, 7, 8])
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("without it the input stays as it was", () =>
    Effect.gen(function* () {
      const run = yield* Program.compile(append)
      const cache = yield* DeviceArray.fromHost(zeros)
      yield* run({ cache, at: at(1), row })
      assert.deepStrictEqual(yield* T.toArray(cache), [0, 0, 0, 0, 0, 0, 0, 0])
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("of an array that another input reads too copies instead", () =>
    Effect.gen(function* () {
      const program = Program.make(
        "shared",
        { cache: Spec.f32([4, 2]), at: Spec.i32([1]), other: Spec.f32([4, 2]) },
        (i) => {
          const next = T.updateRows(i.cache, i.at, T.slice(i.other, [3, 0], [4, 2]))
          return [next, T.add(i.other, 1)]
        },
      )
      const run = yield* Program.compile(program)
      const before = yield* liveBytes
      const cache = yield* DeviceArray.fromHost(HostArray.make([4, 2], [1, 2, 3, 4, 5, 6, 7, 8]))
      const inputs = { cache, at: at(0), other: cache }
      const [next, more] = yield* run(inputs, { donate: ["cache", "other"] })
      assert.deepStrictEqual(yield* T.toArray(next), [7, 8, 3, 4, 5, 6, 7, 8])
      assert.deepStrictEqual(yield* T.toArray(more), [2, 3, 4, 5, 6, 7, 8, 9])
      DeviceArray.release([next, more])
      assert.strictEqual(yield* liveBytes, before)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("of one array twice frees it once", () =>
    Effect.gen(function* () {
      const program = Program.make("pair", { x: Spec.f32([3]), y: Spec.f32([3]) }, ({ x, y }) =>
        T.add(x, y),
      )
      const run = yield* Program.compile(program)
      const before = yield* liveBytes
      const x = yield* DeviceArray.fromHost(host(1, 2, 3))
      const sum = yield* run({ x, y: x }, { donate: ["x", "y"] })
      assert.deepStrictEqual(yield* T.toArray(sum), [2, 4, 6])
      DeviceArray.release(sum)
      DeviceArray.release(x)
      assert.strictEqual(yield* liveBytes, before)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("takes whole trees, keys with dots included", () =>
    Effect.gen(function* () {
      const program = Program.make(
        "update",
        { "layer.0": { w: Spec.f32([3]), b: Spec.f32([3]) }, x: Spec.f32([3]) },
        (i) => T.add(T.mul(i["layer.0"].w, i.x), i["layer.0"].b),
      )
      const run = yield* Program.compile(program)
      const [w, b, x] = yield* Effect.all([
        DeviceArray.fromHost(host(1, 2, 3)),
        DeviceArray.fromHost(host(1, 1, 1)),
        DeviceArray.fromHost(host(2, 2, 2)),
      ])
      const out = yield* run({ "layer.0": { w, b }, x }, { donate: ["layer.0"] })
      assert.deepStrictEqual(yield* T.toArray(out), [3, 5, 7])
      assert.include(w.gone!, "update")
      assert.include(b.gone!, "update")
      assert.strictEqual(x.gone, undefined)
    }).pipe(Effect.provide(Interpreter.layer)),
  )
})

describe("memory", () => {
  it.effect("outputs live in the scope of the run, the program in that of compile", () =>
    Effect.gen(function* () {
      const before = yield* liveBytes
      const outer = yield* Scope.make()
      const run = yield* Scope.provide(Program.compile(double), outer)
      const inner = yield* Scope.make()
      const out = yield* Scope.provide(run({ x: host(1, 2, 3) }), inner)
      assert.deepStrictEqual(yield* T.toArray(out), [2, 4, 6])
      yield* Scope.close(inner, Exit.void)
      const error = yield* Effect.flip(T.toArray(out))
      assert.include(error.message, "its scope was closed")
      yield* Scope.close(outer, Exit.void)
      assert.strictEqual(yield* liveBytes, before)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("goes back to where it was after a thousand runs", () =>
    Effect.gen(function* () {
      const run = yield* Program.compile(double)
      const before = yield* liveBytes
      let x = yield* DeviceArray.fromHost(host(0, 1, 2))
      for (let i = 0; i < 1000; i++) x = yield* run({ x }, { donate: ["x"] })
      assert.strictEqual((yield* T.toArray(x))[0], 0)
      assert.strictEqual(yield* liveBytes, before + x.buffer.bytes)
      DeviceArray.release(x)
      assert.strictEqual(yield* liveBytes, before)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("is given back when a run fails", () =>
    Effect.gen(function* () {
      const device = yield* Device
      const broken = Device.of({
        ...device,
        compile: (schedule) =>
          Effect.map(device.compile(schedule), () => ({ run: () => Effect.die("broken") })),
      })
      const before = yield* liveBytes
      yield* Effect.gen(function* () {
        const run = yield* Program.compile(append)
        const cache = yield* DeviceArray.fromHost(zeros)
        yield* Effect.exit(run({ cache, at: at(0), row }, { donate: ["cache"] }))
      }).pipe(Effect.scoped, Effect.provideService(Device, broken))
      assert.strictEqual(yield* liveBytes, before)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("evaluate runs once", () =>
    Effect.gen(function* () {
      const out = yield* Program.evaluate(() => ({ n: T.sum(T.iota([5], 0)) }))
      assert.deepStrictEqual(yield* T.toArray(out.n), [10])
    }).pipe(Effect.provide(Interpreter.layer)),
  )
})

describe("the identity of a program", () => {
  const hash = (build: (x: T.Tensor) => unknown, name = "p", spec = Spec.f32([3])) =>
    Program.make(name, { x: spec }, ({ x }) => build(x)).schedule.hash
  it("is the same for the same computation under any name", () => {
    assert.strictEqual(
      hash((x) => T.add(x, 1)),
      hash((x) => T.add(x, 1), "other"),
    )
  })
  it("changes with a constant, a shape, a dtype, an operation and embedded data", () => {
    const table =
      (last: number, Values: typeof Float32Array | typeof Float64Array) => (x: T.Tensor) =>
        T.add(x, T.fromHost(HostArray.make([3], Values.of(1, 2, last))))
    const hashes = [
      hash((x) => T.add(x, 1)),
      hash((x) => T.add(x, 2)),
      hash((x) => T.sub(x, 1)),
      hash((x) => T.add(x, 1), "p", Spec.f32([4])),
      hash((x) => T.add(x, 1), "p", Spec.i32([3])),
      hash(table(3, Float32Array)),
      hash(table(4, Float32Array)),
      hash(table(3.0000000001, Float64Array)),
      hash(table(3.0000000002, Float64Array)),
    ]
    assert.strictEqual(new Set(hashes).size, hashes.length)
  })
})
