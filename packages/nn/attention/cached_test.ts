import { assert, describe, it } from "@effect/vitest"
import type { Device } from "@espalier/tensor"
import { HostArray, Interpreter, Program, ShapeError, Spec, Tensor } from "@espalier/tensor"
import * as Wasm from "@espalier/wasm"
import { Effect } from "effect"
import type { Layer } from "effect"
import { cachedAttention } from "./cached.ts"

const values = (length: number, seed: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(seed + i * 1.37) * 1.5)

/** Head by head, key by key, with numbers. */
const byHand = (
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  { heads, shared, width, position }: Sizes,
): ReadonlyArray<number> =>
  Array.from({ length: heads }, (_, head) => {
    const row = shared * width
    const own = Math.floor(head / (heads / shared)) * width
    const scores = Array.from({ length: position + 1 }, (_, key) => {
      let sum = 0
      for (let i = 0; i < width; i++) sum += q[head * width + i] * k[key * row + own + i]
      return Math.exp(sum / Math.sqrt(width))
    })
    const total = scores.reduce((a, b) => a + b)
    return Array.from({ length: width }, (_, i) =>
      scores.reduce((sum, score, key) => sum + (score / total) * v[key * row + own + i], 0),
    )
  }).flat()

interface Sizes {
  readonly context: number
  readonly heads: number
  readonly shared: number
  readonly width: number
  readonly position: number
}

const cases: ReadonlyArray<Sizes> = [
  { context: 1, heads: 1, shared: 1, width: 4, position: 0 },
  { context: 9, heads: 4, shared: 2, width: 8, position: 0 },
  { context: 9, heads: 4, shared: 2, width: 8, position: 4 },
  { context: 67, heads: 3, shared: 3, width: 12, position: 66 },
  { context: 40, heads: 2, shared: 1, width: 80, position: 31 },
  { context: 40, heads: 2, shared: 1, width: 6, position: 31 },
]

const devices: ReadonlyArray<readonly [string, Layer.Layer<Device, unknown>, number]> = [
  ["the interpreter", Interpreter.layer, 1e-9],
  ["one thread", Wasm.layer({ threads: 1, poison: true }), 1e-5],
  ["two threads", Wasm.layer({ threads: 2, poison: true }), 1e-5],
]

describe("cachedAttention", () => {
  for (const sizes of cases) {
    const { context, heads, shared, width, position } = sizes
    it.effect(`of ${heads}×${width} to ${position + 1} of ${context} rows`, () =>
      Effect.gen(function* () {
        const inputs = {
          q: Spec.f32([heads, width]),
          k: Spec.f32([context, shared * width]),
          v: Spec.f32([context, shared * width]),
          at: Spec.i32([]),
        }
        const program = Program.make("decode", inputs, ({ q, k, v, at }) =>
          cachedAttention(q, k, v, at),
        )
        const [q, k, v] = [heads * width, context * shared * width, context * shared * width].map(
          (length, seed) => values(length, seed),
        )
        const used = (position + 1) * shared * width
        // What lies beyond the position has no influence, whatever it is.
        k.fill(1e30, used)
        v.fill(1e30, used)
        const expected = byHand(q, k, v, sizes)
        for (const [name, layer, bound] of devices) {
          const found = yield* Effect.gen(function* () {
            const run = yield* Program.compile(program)
            const given = {
              q: HostArray.make(inputs.q.shape, q),
              k: HostArray.make(inputs.k.shape, k),
              v: HostArray.make(inputs.v.shape, v),
              at: position,
            }
            return yield* Tensor.toArray(yield* run(given))
          }).pipe(Effect.scoped, Effect.provide(layer))
          for (const [i, x] of expected.entries()) assert.closeTo(found[i], x, bound, name)
        }
      }),
    )
  }

  it("refuses shapes that do not fit together", () => {
    const trace = (q: ReadonlyArray<number>, k: ReadonlyArray<number>, at: Spec) => () =>
      Program.make("decode", { q: Spec.f32(q), k: Spec.f32(k), at }, ({ q, k, at }) =>
        cachedAttention(q, k, k, at),
      )
    assert.throws(trace([3, 8], [4, 16], Spec.i32([])), ShapeError, "multiple")
    assert.throws(trace([2, 8], [4, 12], Spec.i32([])), ShapeError, "multiple")
    assert.throws(trace([2, 8], [4, 16], Spec.f32([])), ShapeError, "i32")
    assert.throws(trace([16], [4, 16], Spec.i32([])), ShapeError, "needs query")
  })
})
