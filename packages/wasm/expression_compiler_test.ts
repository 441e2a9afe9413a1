import type { DType } from "@espalier/tensor"
import { Device, Ir } from "@espalier/tensor"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { layer } from "./mod.ts"
import { difference, expected, floats, runOn } from "./testing/run_kernel.ts"

type Expression = Ir.Expression

/** Draws integers in [0, below). */
const dice = (seed: number): ((below: number) => number) => {
  const values = floats(4096, seed)
  let next = 0
  return (below) => Math.floor(((values[next++ % 4096] + 1) / 2) * below)
}

const integerFunctions: ReadonlyArray<Ir.BinaryFunction> = [
  "add",
  "subtract",
  "multiply",
  "divide",
  "remainder",
  "maximum",
  "minimum",
  "and",
  "or",
  "xor",
  "shiftLeft",
  "shiftRight",
]
/** Exact in `f32` on multiples of ½ of moderate size, so that `f64` gives the same. */
const floatFunctions: ReadonlyArray<Ir.BinaryFunction> = ["add", "subtract", "maximum", "minimum"]
const maskFunctions: ReadonlyArray<Ir.BinaryFunction> = ["and", "or", "xor", "equal", "notEqual"]
const comparisons: ReadonlyArray<Ir.BinaryFunction> = ["equal", "notEqual", "less", "lessEqual"]
const dtypes: ReadonlyArray<DType> = ["f32", "i32", "u32", "bool"]

/** A random expression of `dtype` over two loop variables and one operand of each dtype. */
const grow = (
  b: Ir.ExpressionBuilder,
  roll: (below: number) => number,
  [rows, columns]: readonly [number, number],
): ((dtype: DType, depth: number) => Expression) => {
  const pick = <T>(list: ReadonlyArray<T>): T => list[roll(list.length)]
  const [i, j] = [b.variable(0, rows), b.variable(1, columns)]
  const positions = [
    b.add(b.multiply(i, columns), j),
    b.add(b.multiply(j, rows), i),
    j,
    i,
    b.subtract(b.constant(columns - 1, "i32"), j),
    b.remainder(b.add(b.multiply(i, 7), b.multiply(j, 3)), rows * columns),
  ]
  const leaf = (dtype: DType): Expression => {
    if (roll(3) === 0) return b.constant(dtype === "bool" ? roll(2) : roll(9) - 4, dtype)
    if (dtype === "i32" && roll(3) === 0) return pick([i, j])
    return b.load(dtypes.indexOf(dtype), pick(positions), dtype)
  }
  const make = (dtype: DType, depth: number): Expression => {
    if (depth === 0) return leaf(dtype)
    const child = (of: DType): Expression => make(of, depth - 1 - roll(2) < 0 ? 0 : depth - 1)
    switch (roll(6)) {
      case 0:
        return b.select(child("bool"), child(dtype), child(dtype))
      case 1: {
        const from = pick(dtypes)
        // Integers beyond 24 bits would not survive the way through `f32`.
        if (dtype === "f32" && from !== "bool") return child(dtype)
        return b.cast(child(from), dtype)
      }
      case 2:
        if (dtype === "f32") return b.unary(pick(["negate", "absolute", "floor"]), child(dtype))
        if (dtype === "i32") return b.unary(pick(["negate", "absolute", "sign"]), child(dtype))
        return b.unary("not", child(dtype))
      default: {
        if (dtype === "f32") return b.binary(pick(floatFunctions), child("f32"), child("f32"))
        if (dtype === "bool") {
          const of = pick(dtypes)
          const names = of === "bool" ? maskFunctions : comparisons
          return b.binary(pick(names), child(of), child(of))
        }
        const name = pick(integerFunctions)
        return b.binary(name, child(dtype), child(dtype))
      }
    }
  }
  return make
}

describe("random expressions", () => {
  it.effect("mean what the interpreter says", () =>
    Effect.gen(function* () {
      const device = yield* Device
      for (let seed = 1; seed <= 150; seed++) {
        const roll = dice(seed)
        const extents = [1 + roll(5), 1 + roll(11)] as const
        const n = extents[0] * extents[1]
        const b = new Ir.ExpressionBuilder()
        const make = grow(b, roll, extents)
        const inputs = [
          floats(n, seed).map((x) => Math.round(x * 16) / 2),
          Int32Array.from(floats(n, seed + 1), (x) => Math.round(x * 2 ** (seed % 31))),
          Uint32Array.from(floats(n, seed + 2), (x) => Math.round(x * 2 ** (seed % 31))),
          Uint32Array.from(floats(n, seed + 3), (x) => (x > 0 ? 1 : 0)),
        ]
        const kernel: Ir.Kernel = {
          kind: "map",
          name: `seed ${seed}`,
          loops: extents,
          operands: [
            ...dtypes.map((dtype) => ({ dtype, length: n, access: "read" }) as const),
            ...dtypes.map((dtype) => ({ dtype, length: n, access: "write" }) as const),
          ],
          outputs: dtypes.map((dtype, o) => ({ operand: 4 + o, value: make(dtype, 4) })),
        }
        const wanted = yield* expected({ kernel, inputs })
        const found = yield* runOn(device, { kernel, inputs })
        for (const [o, values] of wanted.entries()) {
          const text = `seed ${seed}\n${Ir.printKernel(kernel)}`
          assert.strictEqual(difference(found[o], values), 0, text)
        }
      }
    }).pipe(Effect.provide(layer({ threads: 1, poison: true }))),
  )
})

describe("float to integer", () => {
  it.effect("truncates, saturates, and makes NaN zero", () =>
    Effect.gen(function* () {
      const device = yield* Device
      const b = new Ir.ExpressionBuilder()
      const values = Float32Array.of(1.9, -1.9, 3e9, -3e9, 5e9, NaN, Infinity, -Infinity, -0.5)
      const n = values.length
      const x = b.load(0, b.variable(0, n), "f32")
      const kernel: Ir.Kernel = {
        kind: "map",
        name: "casts",
        loops: [n],
        operands: [
          { dtype: "f32", length: n, access: "read" },
          { dtype: "i32", length: n, access: "write" },
          { dtype: "u32", length: n, access: "write" },
          { dtype: "bool", length: n, access: "write" },
        ],
        outputs: [
          { operand: 1, value: b.cast(x, "i32") },
          { operand: 2, value: b.cast(x, "u32") },
          { operand: 3, value: b.cast(x, "bool") },
        ],
      }
      const found = yield* runOn(device, { kernel, inputs: [values] })
      const wanted = (["i32", "u32", "bool"] as const).map((to) =>
        [...values].map((value) => Ir.Scalar.cast("f32", to, value) + 0),
      )
      assert.deepStrictEqual(
        found.map((data) => [...data]),
        wanted,
      )
    }).pipe(Effect.provide(layer({ threads: 1 }))),
  )
})

describe("integers", () => {
  const least = -(2 ** 31)
  const left = Int32Array.of(least, least, least, 7, -7, 0, 5, -1, -1, 3, 2, 1, 46341)
  const right = Int32Array.of(-1, 0, 1, -1, 0, -1, -3, -3, -2, 20, 31, -5, 2)
  const n = left.length

  it.effect("divide and raise to powers at the edges as the interpreter does", () =>
    Effect.gen(function* () {
      const device = yield* Device
      const b = new Ir.ExpressionBuilder()
      const i = b.variable(0, n)
      const [x, y] = [b.load(0, i, "i32"), b.load(1, i, "i32")]
      const values = [
        b.binary("divide", x, y),
        b.binary("remainder", x, y),
        b.binary("divide", x, b.constant(-1, "i32")),
        b.binary("remainder", x, b.constant(-1, "i32")),
        b.binary("divide", x, b.constant(8, "i32")),
        b.binary("remainder", x, b.constant(8, "i32")),
        b.binary("power", x, y),
      ]
      const operands = [
        { dtype: "i32", length: n, access: "read" } as const,
        { dtype: "i32", length: n, access: "read" } as const,
        ...values.map(() => ({ dtype: "i32", length: n, access: "write" }) as const),
      ]
      const outputs = values.map((value, o) => ({ operand: 2 + o, value }))
      const kernel: Ir.Kernel = { kind: "map", name: "edges", loops: [n], operands, outputs }
      const kernelCase = { kernel, inputs: [left, right] }
      assert.deepStrictEqual(yield* runOn(device, kernelCase), yield* expected(kernelCase))
    }).pipe(Effect.provide(layer({ threads: 1 }))),
  )

  it.effect("divide at the edges in indices too", () =>
    Effect.gen(function* () {
      const device = yield* Device
      const b = new Ir.ExpressionBuilder()
      const i = b.variable(0, n)
      const quotient = b.binary("divide", b.load(0, i, "i32"), b.load(1, i, "i32"))
      const rest = b.binary("remainder", b.load(0, i, "i32"), b.load(1, i, "i32"))
      const place = b.binary("and", b.binary("add", quotient, rest), b.constant(7, "i32"))
      const kernel: Ir.Kernel = {
        kind: "map",
        name: "edges in indices",
        loops: [n],
        operands: [
          { dtype: "i32", length: n, access: "read" },
          { dtype: "i32", length: n, access: "read" },
          { dtype: "f32", length: 8, access: "read" },
          { dtype: "f32", length: n, access: "write" },
        ],
        outputs: [{ operand: 3, value: b.load(2, place, "f32") }],
      }
      const kernelCase = { kernel, inputs: [left, right, floats(8)] }
      const [found] = yield* runOn(device, kernelCase)
      const [wanted] = yield* expected(kernelCase)
      assert.strictEqual(difference(found, wanted), 0)
    }).pipe(Effect.provide(layer({ threads: 1 }))),
  )
})
