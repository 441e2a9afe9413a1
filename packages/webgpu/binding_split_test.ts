import { Ir } from "@espalier/tensor"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Launch } from "./plan/launch.ts"
import { launchOf } from "./plan/launch.ts"
import { isUnsplittable, splitBindings } from "./plan/split_binding.ts"
import { describeOn, openDevice, reference, runSchedule, values } from "./testing/harness.ts"
import * as Kernels from "./testing/kernels.ts"
import * as Rows from "./testing/row_kernels.ts"

/** An adapter that binds 4 KiB at a time. */
const small = await openDevice({ poison: true, override: { bindingBytes: 4096 } })

const launchesOf = (kernel: Ir.Kernel): ReadonlyArray<Launch> => {
  const split = splitBindings(launchOf(Ir.scheduleOf(kernel).steps[0]), {
    bindingBytes: 4096,
    bindings: 10,
  })
  if (isUnsplittable(split)) throw new Error(`operand ${split.operand}: ${split.bytes} bytes`)
  return split
}

/** `out[i] = table[index[i]]`: reads in an order that nobody knows. */
const gather = (count: number, length: number): Ir.MapKernel => {
  const b = new Ir.ExpressionBuilder()
  const at = b.cast(b.load(0, b.variable(0, count), "i32"), "i32")
  return {
    kind: "map",
    name: "gather",
    loops: [count],
    operands: [
      { dtype: "i32", length: count, access: "read" },
      { dtype: "f32", length, access: "read" },
      { dtype: "f32", length: count, access: "write" },
    ],
    outputs: [{ operand: 2, value: b.load(1, at, "f32") }],
  }
}

describe("launches past the binding limit", () => {
  it("become several over rows, whose kernels are the same text", () => {
    const launches = launchesOf(Kernels.map(100, 64))
    assert.isAbove(launches.length, 6)
    const texts = new Set(launches.slice(0, -1).map(({ kernel }) => Ir.printKernel(kernel)))
    assert.strictEqual(texts.size, 1)
    for (const { operands } of launches) {
      for (const { first, length } of operands) {
        assert.strictEqual(first % 64, 0)
        assert.isAtMost(length * 4, 4096)
      }
    }
  })
  it("stay one where everything fits", () =>
    assert.strictEqual(launchesOf(Kernels.map(10, 64)).length, 1))
  it("read in pieces what has no order", () => {
    const [launch] = launchesOf(gather(100, 3000))
    assert.strictEqual(launch.operands[1].pages, 3)
  })
  it("are refused where bindings run out", () => {
    const split = splitBindings(launchOf(Ir.scheduleOf(gather(100, 30_000)).steps[0]), {
      bindingBytes: 4096,
      bindings: 10,
    })
    assert.deepStrictEqual(split, { operand: 1, bytes: 120_000 })
  })
})

describeOn(small, "arrays past the binding limit", (device) => {
  const agrees = (kernel: Ir.Kernel, inPlace: Ir.Schedule["inPlace"] = []) =>
    Effect.gen(function* () {
      const inputs = kernel.operands
        .filter(({ access }) => access === "read")
        .map(({ dtype, length }, i) => {
          const random = values(length, i + 3)
          const limit = kernel.kind === "scatter" ? kernel.rows : 2900
          return dtype === "f32"
            ? random
            : Int32Array.from(random, (x) => Math.floor(((x + 1) / 2) * limit))
        })
      const [found] = yield* runSchedule(device, Ir.scheduleOf(kernel, { inPlace }), inputs)
      const [expected] = yield* runSchedule(reference, Ir.scheduleOf(kernel), inputs)
      const scale = Array.from(expected).reduce((most, x) => Math.max(most, Math.abs(x)), 0)
      for (const [i, x] of expected.entries()) {
        assert.isTrue(Math.abs(found[i] - x) <= 3e-6 * scale, `[${i}]: ${found[i]} for ${x}`)
      }
    })
  it.effect("map", () => agrees(Kernels.map(100, 65)))
  it.effect("map of transposed and shifted operands", () => agrees(Kernels.shifted(48, 40)))
  it.effect("one long row", () => agrees(Kernels.map(1, 5000)))
  it.effect("reduce", () => agrees(Kernels.reduce([70], [33])))
  it.effect("reduce to one number", () => agrees(Kernels.reduce([], [9000])))
  it.effect("scan", () => agrees(Kernels.scan(64, 40)))
  it.effect("rows", () => agrees(Rows.softmax(64, 40)))
  it.effect("product with a long left side", () => agrees(Kernels.contract(1, 80, 7, 33)))
  it.effect("product with a long right side", () => agrees(Kernels.contract(1, 3, 70, 40, true)))
  it.effect("product of a batch", () => agrees(Kernels.contract(9, 16, 20, 18)))
  it.effect("gather", () => agrees(gather(1500, 2900)))
  it.effect("scatter", () => agrees(Kernels.scatter(60, 40, 64, "add", true)))
  it.effect("scatter in place", () =>
    agrees(Kernels.scatter(20, 40, 64, "set", true), [{ output: 3, input: 2 }]),
  )
  it.effect("are refused with numbers where nothing helps", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(device.compile(Ir.scheduleOf(gather(10, 30_000))))
      assert.strictEqual(error._tag, "OutOfMemory")
      assert.include(error.message, "120000 bytes (limit 4096)")
      assert.include(error.message, "gather of gather")
    }),
  )
})

const plain = await openDevice()

describeOn(plain, "an array past the limit of this adapter", (device) => {
  it.effect("is summed row by row", () =>
    Effect.gen(function* () {
      const [rows, length] = [6, 6_000_000]
      const x = new Float32Array(rows * length).map((_, i) => (i % 7) - 3)
      const [found] = yield* runSchedule(device, Ir.scheduleOf(Kernels.reduce([rows], [length])), [
        x,
      ])
      for (let row = 0; row < rows; row++) {
        let sum = 0
        for (let i = row * length; i < (row + 1) * length; i++) sum += x[i] * x[i]
        assert.closeTo(found[row], Math.sqrt(sum), 1e-5 * Math.sqrt(sum))
      }
    }),
  )
})
