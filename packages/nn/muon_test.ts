import { assert, describe, it } from "@effect/vitest"
import { DeviceArray, Interpreter, Program } from "@espalier/tensor"
import { Effect } from "effect"
import { adamW } from "./adamw.ts"
import { muon, orthogonalize } from "./muon.ts"
import { constant, numbers } from "./testing/evaluate.ts"
import {
  assertClose,
  gradientOf,
  learningRate,
  minimize,
  start,
} from "./testing/optimizer_problem.ts"

type Matrix = ReadonlyArray<ReadonlyArray<number>>

const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0].map((_, j) => row.reduce((sum, x, k) => sum + x * b[k][j], 0)))
const transposed = (a: Matrix): Matrix => a[0].map((_, j) => a.map((row) => row[j]))
const combine = (a: Matrix, b: Matrix, f: (x: number, y: number) => number): Matrix =>
  a.map((row, i) => row.map((x, j) => f(x, b[i][j])))
const rowsOf = (data: ReadonlyArray<number>, columns: number): Matrix =>
  Array.from({ length: data.length / columns }, (_, i) =>
    data.slice(i * columns, (i + 1) * columns),
  )

/** Jordan et al. 2024: five steps of the quintic with (3.4445, −4.7750, 2.0315). */
const newtonSchulz = (g: Matrix): Matrix => {
  const tall = g.length > g[0].length
  const norm = Math.hypot(...g.flat()) + 1e-7
  let x: Matrix = (tall ? transposed(g) : g).map((row) => row.map((value) => value / norm))
  for (let i = 0; i < 5; i++) {
    const a = product(x, transposed(x))
    const b = combine(a, product(a, a), (y, z) => -4.775 * y + 2.0315 * z)
    x = combine(x, product(b, x), (y, z) => 3.4445 * y + z)
  }
  return tall ? transposed(x) : x
}

const orthogonalized = (shape: readonly [number, number], seed: number) =>
  Program.evaluate(() => orthogonalize(constant(shape, seed))).pipe(
    Effect.flatMap(DeviceArray.toArray),
    Effect.scoped,
    Effect.provide(Interpreter.layer),
  )

describe("orthogonalize", () => {
  for (const shape of [
    [3, 5],
    [5, 3],
    [4, 4],
  ] as const) {
    it.effect(`brings singular values near 1, ${shape.join(" × ")}`, () =>
      Effect.gen(function* () {
        const found = yield* orthogonalized(shape, 3)
        const given = rowsOf(Array.from(numbers(shape[0] * shape[1], 3)), shape[1])
        newtonSchulz(given)
          .flat()
          .forEach((value, i) => assert.closeTo(found[i], value, 1e-12))
        const matrix = rowsOf(found, shape[1])
        const [short, long] =
          shape[0] <= shape[1] ? [matrix, transposed(matrix)] : [transposed(matrix), matrix]
        const gram = product(short, long)
        // The mean of the squared singular values.
        const trace = gram.reduce((sum, row, i) => sum + row[i], 0)
        assert.closeTo(trace / gram.length, 0.9, 0.35)
      }),
    )
  }

  it.effect("keeps the direction of a matrix of one row", () =>
    Effect.gen(function* () {
      const found = yield* Program.evaluate(() => orthogonalize(constant([1, 4], 2))).pipe(
        Effect.flatMap(DeviceArray.toArray),
        Effect.scoped,
        Effect.provide(Interpreter.layer),
      )
      const given = numbers(4, 2)
      const length = Math.hypot(...given)
      const scale = Math.hypot(...found)
      assert.closeTo(scale, 1, 0.31)
      found.forEach((value, i) => assert.closeTo(value / scale, given[i] / length, 1e-9))
    }),
  )
})

describe("muon", () => {
  const published = (steps: number, lambda: number) => {
    let theta = Array.from(start.matrix.data)
    let momentum = theta.map(() => 0)
    for (let t = 1; t <= steps; t++) {
      const g = gradientOf("matrix", theta)
      momentum = momentum.map((old, i) => 0.95 * old + g[i])
      const ahead = momentum.map((m, i) => g[i] + 0.95 * m)
      const direction = newtonSchulz(rowsOf(ahead, 3)).flat()
      const scale = 0.2 * Math.sqrt(3)
      theta = theta.map((old, i) => old - learningRate(t) * (direction[i] * scale + lambda * old))
    }
    return theta
  }

  it.effect("orthogonalises matrices and leaves the rest to AdamW", () =>
    Effect.gen(function* () {
      const { parameters } = yield* minimize(muon({ weightDecay: 0.3 }), 5)
      assertClose(parameters.matrix, published(5, 0.3), 1e-10)
      const others = yield* minimize(adamW({ weightDecay: 0.3 }), 5)
      assertClose(parameters.gain, Array.from(others.parameters.gain.data))
    }),
  )

  it.effect("leaves matrices to AdamW that its filter does not name", () =>
    Effect.gen(function* () {
      const { parameters } = yield* minimize(muon({ matrices: (path) => path !== "matrix" }), 4)
      const { parameters: expected } = yield* minimize(adamW(), 4)
      assert.deepStrictEqual(parameters, expected)
    }),
  )

  it("keeps one array a matrix", () => {
    const { slotShape } = muon({ matrices: (path) => path !== "head" })
    assert.deepStrictEqual(slotShape?.("first", "w", [4, 6]), [4, 6])
    assert.deepStrictEqual(slotShape?.("second", "w", [4, 6]), [1])
    assert.deepStrictEqual(slotShape?.("second", "head", [4, 6]), [4, 6])
    assert.deepStrictEqual(slotShape?.("second", "gain", [4]), [4])
  })
})
