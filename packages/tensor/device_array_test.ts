import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { Device } from "./device.ts"
import * as DeviceArray from "./device_array.ts"
import { ArrayGone } from "./errors.ts"
import * as HostArray from "./host_array.ts"
import * as Interpreter from "./interpreter.ts"

const liveBytes = Effect.map(Device, (device) => device.statistics().liveBytes)
const x = HostArray.make([2, 2], [1, 2, 3, 4])

describe("DeviceArray", () => {
  it.effect("brings values to the device and back, whatever their dtype", () =>
    Effect.gen(function* () {
      const arrays = {
        f: x,
        tree: [
          HostArray.make([3], [-1, 2, -3], "i32"),
          HostArray.make([2], [4294967295, 0], "u32"),
          HostArray.make([2], [1, 0], "bool"),
        ],
        scalar: HostArray.make([], [7]),
      }
      const there = yield* DeviceArray.fromHostTree(arrays)
      assert.deepStrictEqual(there.f.shape, [2, 2])
      const back = yield* DeviceArray.toHostTree(there)
      assert.deepStrictEqual(Array.from(back.f.data), [1, 2, 3, 4])
      assert.deepStrictEqual(
        back.tree.map(({ dtype, data }) => [dtype, ...data]),
        [
          ["i32", -1, 2, -3],
          ["u32", 4294967295, 0],
          ["bool", 1, 0],
        ],
      )
      assert.deepStrictEqual(yield* DeviceArray.toArray(there.scalar), [7])
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("is a copy: neither side sees what the other does later", () =>
    Effect.gen(function* () {
      const source = Float32Array.of(1, 2)
      const there = yield* DeviceArray.fromHost(HostArray.make([2], source))
      source[0] = 9
      const back = yield* DeviceArray.toHost(there)
      back.data[1] = 9
      assert.deepStrictEqual(yield* DeviceArray.toArray(there), [1, 2])
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("dies with its scope", () =>
    Effect.gen(function* () {
      const before = yield* liveBytes
      const scope = yield* Scope.make()
      const [first, second] = yield* Scope.provide(
        Effect.all([DeviceArray.fromHost(x), DeviceArray.fromHost(x)]),
        scope,
      )
      assert.isAbove(yield* liveBytes, before)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* liveBytes, before)
      for (const array of [first, second]) {
        const error = yield* Effect.flip(DeviceArray.toHost(array))
        assert.instanceOf(error, ArrayGone)
        assert.include(error.message, "the array [2, 2] is gone: its scope was closed")
      }
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("can be released earlier, once or twice, and not again by its scope", () =>
    Effect.gen(function* () {
      const before = yield* liveBytes
      yield* Effect.gen(function* () {
        const array = yield* DeviceArray.fromHost(x)
        DeviceArray.release({ nested: [array] })
        DeviceArray.release(array)
        assert.strictEqual(yield* liveBytes, before)
        const error = yield* Effect.flip(DeviceArray.toArray(array))
        assert.include(error.message, "it was released")
      }).pipe(Effect.scoped)
      assert.strictEqual(yield* liveBytes, before)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("is poisoned by the interpreter when it is freed", () =>
    Effect.gen(function* () {
      const array = yield* DeviceArray.fromHost(x)
      DeviceArray.release(array)
      const device = yield* Device
      const found = yield* device.read(array.buffer, "f32", 4)
      assert.isTrue(found.every((value: number) => Number.isNaN(value)))
    }).pipe(Effect.provide(Interpreter.layer)),
  )
})

describe("HostArray", () => {
  it("takes its dtype from a typed array, and f32 otherwise", () => {
    assert.strictEqual(HostArray.make([1], [1]).dtype, "f32")
    assert.strictEqual(HostArray.make([1], Int32Array.of(1)).dtype, "i32")
    assert.strictEqual(HostArray.make([1], Uint32Array.of(1)).dtype, "u32")
    assert.strictEqual(HostArray.make([1], Uint32Array.of(1), "bool").dtype, "bool")
  })
  it("does not copy typed arrays", () => {
    const data = Float32Array.of(1, 2)
    assert.strictEqual(HostArray.make([2], data).data, data)
  })
  it("says how many values do not fill which shape", () => {
    assert.throws(() => HostArray.make([2, 3], [1]), "HostArray of [2, 3]: 1 values do not fill it")
  })
})
