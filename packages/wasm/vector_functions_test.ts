import type { HostData } from "@espalier/tensor"
import { Device, Ir } from "@espalier/tensor"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Wasm from "./mod.ts"
import { runOn } from "./testing/run_kernel.ts"

const apply = (
  build: (b: Ir.ExpressionBuilder, x: Ir.Expression, y: Ir.Expression) => Ir.Expression,
  x: Float32Array,
  y = x,
) =>
  Effect.gen(function* () {
    const device = yield* Device
    const b = new Ir.ExpressionBuilder()
    const i = b.variable(0, x.length)
    const operand = { dtype: "f32", length: x.length } as const
    const value = build(b, b.load(0, i, "f32"), b.load(1, i, "f32"))
    const kernel: Ir.Kernel = {
      kind: "map",
      name: "function",
      loops: [x.length],
      operands: [
        { ...operand, access: "read" },
        { ...operand, access: "read" },
        { ...operand, access: "write" },
      ],
      outputs: [{ operand: 2, value }],
    }
    return (yield* runOn(device, { kernel, inputs: [x, y] }))[0]
  })

/** One unit in the last place of the `f32` next to `value`. */
const unit = (value: number): number =>
  2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(value) || 2 ** -149))) - 23)

/** The largest error in units of the last place. */
const worst = (found: HostData, reference: (i: number) => number): number => {
  let largest = 0
  for (const [i, value] of found.entries()) {
    const wanted = reference(i)
    if (Object.is(Math.fround(wanted), value)) continue
    const error = Math.abs(value - wanted) / unit(wanted)
    largest = Math.max(largest, Number.isNaN(error) ? Infinity : error)
  }
  return largest
}

const count = 40_000
const evenly = (low: number, high: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1))
/** Magnitudes spread over all exponents in [2^low, 2^high), of one sign. */
const magnitudes = (low: number, high: number, sign = 1): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => sign * 2 ** (low + ((high - low) * i) / count))

type Name = "exp" | "log" | "tanh" | "sin" | "cos" | "erf"
const references: Record<Name, (x: number) => number> = {
  exp: Math.exp,
  log: Math.log,
  tanh: Math.tanh,
  sin: Math.sin,
  cos: Math.cos,
  erf: Ir.Scalar.erf,
}

/** Error bounds in units of the last place over all the inputs of each line, as measured. */
const bounds: ReadonlyArray<readonly [Name, number, string, Float32Array]> = [
  ["exp", 1, "[−87, 88.7]", evenly(-87, 88.7)],
  ["exp", 1, "denormal results", evenly(-103, -87)],
  ["log", 1, "all positive", magnitudes(-149, 128)],
  ["log", 1.5, "near 1", evenly(0.5, 2)],
  ["tanh", 2, "[−10, 10]", evenly(-10, 10)],
  ["tanh", 2, "small", magnitudes(-60, 0, -1)],
  ["sin", 1.5, "[−20, 20]", evenly(-20, 20)],
  ["sin", 1.5, "up to a million", magnitudes(-40, 20)],
  ["cos", 1.5, "[−20, 20]", evenly(-20, 20)],
  ["cos", 1.5, "up to a million", magnitudes(-40, 20)],
  ["erf", 1.5, "[−5, 5]", evenly(-5, 5)],
  ["erf", 1.5, "small", magnitudes(-60, 0)],
]

for (const relaxedSimd of [true, false]) {
  layer(Wasm.layer({ threads: 1, relaxedSimd }))(`functions, relaxedSimd ${relaxedSimd}`, (it) => {
    for (const [name, bound, range, x] of bounds) {
      it.effect(`${name} is within ${bound} ulp: ${range}`, () =>
        Effect.gen(function* () {
          const found = yield* apply((b, value) => b.unary(name, value), x)
          assert.isAtMost(
            worst(found, (i) => references[name](x[i])),
            bound,
          )
        }),
      )
    }
    it.effect("edge cases are those of Math", () =>
      Effect.gen(function* () {
        const x = Float32Array.of(0, -0, 1, -1, Infinity, -Infinity, NaN, 1e-45, 3e38, -3e38, 200)
        for (const name of ["exp", "log", "tanh", "erf"] as const) {
          const found = yield* apply((b, value) => b.unary(name, value), x)
          for (const [i, value] of found.entries()) {
            const wanted = Math.fround(references[name](x[i]))
            const message = `${name}(${x[i]}) is ${value}, not ${wanted}`
            assert.isTrue(
              Object.is(value, wanted) || worst([value] as never, () => wanted) <= 1,
              message,
            )
          }
        }
        for (const name of ["sin", "cos"] as const) {
          const found = yield* apply((b, value) => b.unary(name, value), x)
          for (const i of [4, 5, 6]) assert.isNaN(found[i], `${name}(${x[i]})`)
          for (const i of [8, 9]) assert.isAtMost(Math.abs(found[i]), 1)
        }
      }),
    )
    it.effect("power is within 1 ulp", () =>
      Effect.gen(function* () {
        const x = magnitudes(-30, 30)
        const y = Float32Array.from({ length: count }, (_, i) => Math.sin(i) * 4)
        const found = yield* apply((b, p, q) => b.binary("power", p, q), x, y)
        assert.isAtMost(
          worst(found, (i) => Math.pow(x[i], y[i])),
          1,
        )
      }),
    )
    it.effect("power has the edge cases of Math.pow", () =>
      Effect.gen(function* () {
        const values = [0, -0, 1, -1, 2, -2, 0.5, -0.5, 3, -3, Infinity, -Infinity, NaN, 1e30, 101]
        const pairs = values.flatMap((x) => values.map((y) => [x, y] as const))
        const [x, y] = [0, 1].map((i) => Float32Array.from(pairs, (pair) => pair[i])) as [
          Float32Array,
          Float32Array,
        ]
        const found = yield* apply((b, p, q) => b.binary("power", p, q), x, y)
        for (const [i, value] of found.entries()) {
          const wanted = Math.fround(Math.pow(x[i], y[i]))
          const close = Math.abs(value - wanted) <= unit(wanted)
          assert.isTrue(
            Object.is(value, wanted) || close,
            `power(${x[i]}, ${y[i]}) is ${value}, not ${wanted}`,
          )
        }
      }),
    )
    it.effect("remainder is exact", () =>
      Effect.gen(function* () {
        const values = [
          0,
          -0,
          1,
          -1,
          5.5,
          -5.5,
          0.1,
          3,
          1e30,
          1e-40,
          7e10,
          Infinity,
          -Infinity,
          NaN,
        ]
        const pairs = values.flatMap((x) => values.map((y) => [x, y] as const))
        const [x, y] = [0, 1].map((i) => Float32Array.from(pairs, (pair) => pair[i])) as [
          Float32Array,
          Float32Array,
        ]
        const found = yield* apply((b, p, q) => b.binary("remainder", p, q), x, y)
        for (const [i, value] of found.entries()) {
          const message = `${x[i]} % ${y[i]}`
          assert.isTrue(Object.is(value, Math.fround(x[i] % y[i])), message)
        }
      }),
    )
    it.effect("round goes to even, sign keeps zeros and NaN", () =>
      Effect.gen(function* () {
        const x = Float32Array.of(0.5, 1.5, 2.5, -0.5, -1.5, -0, NaN, 1e9, -3, Infinity)
        const rounded = yield* apply((b, value) => b.unary("round", value), x)
        assert.deepStrictEqual([...rounded], [0, 2, 2, -0, -2, -0, NaN, 1e9, -3, Infinity])
        const signs = yield* apply((b, value) => b.unary("sign", value), x)
        assert.deepStrictEqual([...signs], [1, 1, 1, -1, -1, -0, NaN, 1, -1, 1])
      }),
    )
  })
}
