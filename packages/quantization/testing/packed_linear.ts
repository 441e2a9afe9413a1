import { assert, describe, it } from "@effect/vitest"
import type { Device, Tensor as T } from "@espalier/tensor"
import { Grad, HostArray, Program, Spec, Tensor } from "@espalier/tensor"
import { makeNumbers } from "@espalier/testing"
import type { Layer } from "effect"
import { Effect } from "effect"
import { packWeight, quantizedLinear } from "../packed_linear/packed_linear.ts"
import type { QuantizedWeight } from "../quantized_weight.ts"
import { dequantize } from "../quantized_weight.ts"
import type { Scheme } from "../scheme.ts"
import { groupCount, levelsOf } from "../scheme.ts"

/** Random codes; scales are about as large as the codes make the weights of one size. */
export const drawQuantized = (
  [outputs, inputs]: readonly [number, number],
  scheme: Scheme,
  seed: number,
): QuantizedWeight => {
  const draw = makeNumbers(seed)
  const next = () => (draw() + 1) / 2
  const most = levelsOf(scheme)
  const code = () => Math.floor(next() * (most + 1))
  const count = outputs * groupCount(scheme, inputs)
  return {
    shape: [outputs, inputs],
    scheme,
    codes: Uint8Array.from({ length: outputs * inputs }, code),
    scales: Float32Array.from({ length: count }, () => (0.5 + next()) / most),
    zeros: Uint8Array.from({ length: count }, scheme.symmetric ? () => (most + 1) / 2 : code),
  }
}

/** x · Wᵀ in `f64`. */
const product = (x: HostArray.HostArray, weight: HostArray.HostArray): Float64Array => {
  const [outputs, inputs] = weight.shape
  const found = new Float64Array((x.data.length / inputs) * outputs)
  for (const at of found.keys()) {
    const [from, output] = [Math.floor(at / outputs) * inputs, (at % outputs) * inputs]
    for (let i = 0; i < inputs; i++) found[at] += x.data[from + i] * weight.data[output + i]
  }
  return found
}

/** A shape of x, the outputs, and the grid of the weight. */
export interface PackedCase {
  readonly shape: ReadonlyArray<number>
  readonly outputs: number
  readonly scheme: Scheme
  /** The mean of x, whose values are up to 1 from it. */
  readonly mean?: number
  /** Of the largest result. */
  readonly tolerance?: number
}

const draw = ({ shape, outputs, scheme, mean = 0 }: PackedCase) => {
  const next = makeNumbers(5)
  const size = shape.reduce((a, b) => a * b)
  const inputs = shape[shape.length - 1]
  const weight = drawQuantized([outputs, inputs], scheme, 3)
  const x = HostArray.make(
    shape,
    Float32Array.from({ length: size }, () => mean + next()),
  )
  return { x, weight }
}

/** The largest difference, in units of the largest value. */
const disagreement = (found: ArrayLike<number>, expected: ArrayLike<number>): number => {
  assert.strictEqual(found.length, expected.length)
  const values = Array.from(expected)
  const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return values.reduce((most, value, i) => {
    assert.isFalse(Number.isNaN(found[i]))
    return Math.max(most, Math.abs(found[i] - value) / scale)
  }, 0)
}

/** The product agrees with that of the dequantised weight in `f64`. */
export const checkProduct = Effect.fnUntraced(function* (
  each: PackedCase,
  linear: typeof quantizedLinear = quantizedLinear,
) {
  const { x, weight } = draw(each)
  const given = { x, packed: packWeight(weight) }
  const program = Program.make("linear", Spec.of(given), ({ x, packed }) => linear(x, packed))
  const run = yield* Program.compile(program)
  const found = yield* run(given)
  assert.deepStrictEqual(found.shape, [...each.shape.slice(0, -1), each.outputs])
  const expected = product(x, dequantize(weight))
  const difference = disagreement(yield* Tensor.toArray(found), expected)
  assert.isBelow(difference, each.tolerance ?? 2e-6, JSON.stringify(each))
}, Effect.scoped)

/** So do its gradients, with respect to x and to the scales. */
const checkGradients = Effect.fnUntraced(function* (each: PackedCase) {
  const { x, weight } = draw(each)
  const [outputs, inputs] = weight.shape
  const groups = weight.scales.length / outputs
  const steps = HostArray.make(
    [outputs, groups, inputs / groups],
    Float32Array.from(
      weight.codes,
      (code, at) => code - weight.zeros[Math.floor((at * groups) / inputs)],
    ),
  )
  const given = { x, steps, packed: packWeight(weight) }
  const program = Program.make("gradients", Spec.of(given), ({ x, steps, packed }) => {
    const dense = (x: T.Tensor, scales: T.Tensor) => {
      const weight = Tensor.mul(Tensor.expandDims(scales, 2), steps)
      return Tensor.matmul(x, Tensor.transpose(Tensor.reshape(weight, [outputs, inputs])))
    }
    const gradientsOf = (f: typeof dense) =>
      Grad.grad(({ x, scales }: { readonly x: T.Tensor; readonly scales: T.Tensor }) =>
        Tensor.sum(Tensor.square(f(x, scales))),
      )({ x, scales: packed.scales })
    return {
      found: gradientsOf((x, scales) => quantizedLinear(x, { ...packed, scales })),
      expected: gradientsOf(dense),
    }
  })
  const run = yield* Program.compile(program)
  const { found, expected } = yield* run(given)
  for (const of of ["x", "scales"] as const) {
    const [a, b] = [yield* Tensor.toArray(found[of]), yield* Tensor.toArray(expected[of])]
    assert.isBelow(disagreement(a, b), 4e-6, of)
  }
}, Effect.scoped)

const scheme = (bits: Scheme["bits"], group: Scheme["group"], symmetric = false): Scheme => ({
  bits,
  group,
  symmetric,
})

export const smallCases: ReadonlyArray<PackedCase> = [
  { shape: [1, 64], outputs: 12, scheme: scheme(4, 32) },
  { shape: [3, 172], outputs: 7, scheme: scheme(4, "channel") },
  { shape: [2, 2, 128], outputs: 9, scheme: scheme(8, 64) },
  { shape: [1, 45], outputs: 8, scheme: scheme(8, "channel", true) },
]

/** Every number of rows and every grid, widths that fill nothing, and parts for two threads. */
export const manyCases: ReadonlyArray<PackedCase> = [
  ...smallCases,
  ...Array.from({ length: 11 }, (_, i) => ({
    shape: [i + 1, 96],
    outputs: 6,
    scheme: scheme(i % 2 === 0 ? 4 : 8, 32),
  })),
  ...([2, 3, 4, 8] as const).flatMap((bits) =>
    ([32, 64, 128, "channel"] as const).map((group) => ({
      shape: [2, 256],
      outputs: 5,
      scheme: scheme(bits, group, group === 64),
    })),
  ),
  ...[1, 3, 4, 5, 31, 32, 33, 172].flatMap((inputs) =>
    ([4, 8] as const).map((bits) => ({
      shape: [1, inputs],
      outputs: 1 + (inputs % 4),
      scheme: scheme(bits, "channel"),
    })),
  ),
  { shape: [1, 1024], outputs: 341, scheme: scheme(4, 128) },
  // Where Σ x·code and zero·Σ x are far larger than their difference.
  { shape: [1, 5632], outputs: 16, scheme: scheme(8, "channel", true), mean: 1, tolerance: 5e-6 },
  // More rows, inputs and outputs than are done together, none of them in whole steps.
  { shape: [17, 512], outputs: 130, scheme: scheme(8, "channel") },
  { shape: [97, 300], outputs: 13, scheme: scheme(4, "channel") },
  { shape: [101, 320], outputs: 37, scheme: scheme(8, 64, true) },
  { shape: [196, 288], outputs: 72, scheme: scheme(4, 32) },
  { shape: [12, 45], outputs: 33, scheme: scheme(3, "channel"), mean: 1 },
]

/** What every device has to do with packed weights. */
export const describePacked = (
  name: string,
  device: Layer.Layer<Device, unknown>,
  cases: ReadonlyArray<PackedCase>,
): void => {
  describe(`quantizedLinear on ${name}`, () => {
    it.effect("gives what the dequantised weight gives", () =>
      Effect.gen(function* () {
        for (const each of cases) yield* checkProduct(each)
      }).pipe(Effect.provide(device)),
    )
    it.effect("has the same gradients", () =>
      checkGradients({ shape: [3, 64], outputs: 6, scheme: scheme(4, 32) }).pipe(
        Effect.provide(device),
      ),
    )
  })
}
