import { assert, describe, it } from "@effect/vitest"
import type { Device } from "@espalier/tensor"
import { Grad, HostArray, Program, Spec, Tensor } from "@espalier/tensor"
import { draw } from "@espalier/testing"
import type { Layer } from "effect"
import { Effect, Result } from "effect"
import { packTwoOfFour, twoOfFourLinear } from "../packed_two_of_four.ts"

/** Random weights with 0, 1 or 2 of every four inputs. */
export const drawTwoOfFour = (
  outputs: number,
  inputs: number,
  seed: number,
): HostArray.HostArray => {
  const data = Float32Array.from(draw(1, outputs * inputs, seed)[0])
  for (let from = 0; from < data.length; from += 4) {
    const order = [0, 1, 2, 3].toSorted(
      (a, b) => Math.abs(data[from + a]) - Math.abs(data[from + b]),
    )
    const removed = (from / 4) % 11 === 0 ? 4 : (from / 4) % 7 === 0 ? 3 : 2
    for (const i of order.slice(0, removed)) data[from + i] = 0
  }
  return HostArray.make([outputs, inputs], data)
}

/** The product and its gradients, packed and dense, in one program. */
const compare = Effect.fnUntraced(function* (
  shape: ReadonlyArray<number>,
  outputs: number,
  gradients: boolean,
) {
  const inputs = shape[shape.length - 1]
  const weight = drawTwoOfFour(outputs, inputs, 3)
  const packed = Result.getOrThrow(packTwoOfFour(weight))
  const size = shape.reduce((a, b) => a * b)
  const x = HostArray.make(shape, Float32Array.from(draw(1, size, 4)[0]))
  const given = { x, weight, packed }
  const program = Program.make("two of four", Spec.of(given), ({ x, weight, packed }) => {
    const sparse = (x: Tensor.Tensor) => twoOfFourLinear(x, packed)
    const dense = (x: Tensor.Tensor) => Tensor.matmul(x, Tensor.transpose(weight))
    const gradientOf = (f: (x: Tensor.Tensor) => Tensor.Tensor) =>
      Grad.grad((x: Tensor.Tensor) => Tensor.sum(Tensor.square(f(x))))(x)
    return gradients
      ? { found: gradientOf(sparse), expected: gradientOf(dense) }
      : { found: sparse(x), expected: dense(x) }
  })
  const run = yield* Program.compile(program)
  const { found, expected } = yield* run(given)
  assert.deepStrictEqual(found.shape, expected.shape)
  const [a, b] = [yield* Tensor.toArray(found), yield* Tensor.toArray(expected)]
  const scale = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  for (const [i, value] of b.entries()) assert.closeTo(a[i] / scale, value / scale, 2e-6)
}, Effect.scoped)

/** Shapes of x and numbers of outputs. */
type Cases = ReadonlyArray<readonly [shape: ReadonlyArray<number>, outputs: number]>

export const smallCases: Cases = [
  [[1, 28], 12],
  [[3, 28], 12],
  [[2, 3, 32], 20],
]

/** Every number of rows that is treated differently somewhere, and the sizes of a small model. */
export const manyCases: Cases = [
  ...[1, 2, 3, 4, 5, 8, 9].map((rows) => [[rows, 8], 4] as const),
  ...smallCases,
  [[1, 172], 64],
  [[7, 64], 172],
  // More than the groups and outputs that are done together.
  [[6, 2100], 76],
]

/** What every device has to do with packed weights. */
export const describeTwoOfFour = (
  name: string,
  device: Layer.Layer<Device, unknown>,
  cases: Cases,
): void => {
  describe(`twoOfFourLinear on ${name}`, () => {
    it.effect("gives what the dense weight gives", () =>
      Effect.gen(function* () {
        for (const [shape, outputs] of cases) yield* compare(shape, outputs, false)
      }).pipe(Effect.provide(device)),
    )
    it.effect("has the same gradient", () => compare([3, 20], 8, true).pipe(Effect.provide(device)))
  })
}
