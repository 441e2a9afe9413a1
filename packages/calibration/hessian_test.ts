import { assert, describe, it } from "@effect/vitest"
import type { DeviceArray } from "@espalier/tensor"
import { Device, HostArray, Interpreter } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { type Rows, differenceOf, draw } from "@espalier/testing"
import { Effect } from "effect"
import { makeGatherer } from "./gatherer.ts"
import { diagonalOf, fullHessian, hessianOfInputs, readHessian } from "./hessian.ts"
import type { Accumulators } from "./statistic.ts"
import { plainHessian, toRows } from "./testing/layers.ts"

const wasm = wasmLayer({ poison: true, threads: 1 })

/** The Hessian of windows of 3 tokens, `batch` windows at a time. */
const gather = Effect.fnUntraced(function* (tokens: Rows, batch: number) {
  const inputs = tokens[0].length
  let sums: Accumulators<DeviceArray.DeviceArray> | undefined
  for (let first = 0; first < tokens.length; first += 3 * batch) {
    const some = tokens.slice(first, first + 3 * batch)
    const shape = [some.length / 3, 3, inputs] as const
    const gatherer = yield* makeGatherer(hessianOfInputs, shape)
    sums = yield* gatherer.add(sums ?? (yield* gatherer.zeros), HostArray.make(shape, some.flat()))
  }
  return yield* readHessian(inputs, sums!)
}, Effect.scoped)

describe("the Hessian", () => {
  for (const inputs of [1, 5, 255, 256, 257, 600]) {
    it.effect(`of ${inputs} inputs is Σ x xᵀ, exactly symmetric`, () =>
      Effect.gen(function* () {
        const tokens = draw(12, inputs, 1)
        const found = yield* gather(tokens, 2)
        assert.strictEqual(found.inputs, inputs)
        const rows = toRows(fullHessian(found), inputs)
        assert.isBelow(differenceOf(rows, plainHessian(tokens)), 1e-6)
        for (let i = 0; i < inputs; i++) {
          for (let j = 0; j < i; j++) assert.strictEqual(rows[i][j], rows[j][i])
        }
        assert.deepStrictEqual(
          Array.from(diagonalOf(found)),
          rows.map((row, j) => row[j]),
        )
      }).pipe(Effect.provide(wasm)),
    )
  }

  for (const [name, device, tolerance] of [
    ["the interpreter", Interpreter.layer, 1e-7],
    ["wasm", wasm, 1e-6],
  ] as const) {
    it.effect(`depends on the batch size by rounding alone, on ${name}`, () =>
      Effect.gen(function* () {
        const tokens = draw(30, 20, 2)
        const whole = toRows(fullHessian(yield* gather(tokens, 10)), 20)
        for (const batch of [1, 3, 4]) {
          const found = toRows(fullHessian(yield* gather(tokens, batch)), 20)
          assert.isBelow(differenceOf(found, whole), tolerance)
        }
      }).pipe(Effect.provide(device)),
    )
  }

  it.effect("frees what was gathered while it is read", () =>
    Effect.gen(function* () {
      const { statistics } = yield* Device
      const before = statistics().liveBytes
      const gatherer = yield* makeGatherer(hessianOfInputs, [1, 2, 300])
      const compiled = statistics().liveBytes
      const made = yield* gatherer.add(yield* gatherer.zeros, HostArray.zeros([1, 2, 300]))
      assert.isAbove(statistics().liveBytes, compiled)
      yield* readHessian(300, made)
      assert.isAtMost(statistics().liveBytes, compiled)
      assert.isAtLeast(compiled, before)
    }).pipe(Effect.scoped, Effect.provide(wasm)),
  )
})
