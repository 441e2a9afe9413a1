import type { QuantizedWeight } from "@espalier/quantization"
import { dequantize, packWeight, quantizedLinear } from "@espalier/quantization"
import { HostArray, Tensor } from "@espalier/tensor"
import type { Case } from "../case.ts"
import { integers, uniform } from "../inputs.ts"
import { arraysSubject } from "../own_subject.ts"

type T = Tensor.Tensor

/** A linear [outputs, inputs] and the seed of its weight. */
interface Linear {
  readonly outputs: number
  readonly inputs: number
  readonly seed: number
}

const group = 128

/** Random codes with zero points near the middle, in groups with scales of their own. */
const weightOf = ({ outputs, inputs, seed }: Linear, bits: 4 | 8): QuantizedWeight => {
  const levels = 2 ** bits
  const groups = (outputs * inputs) / group
  const zeros = integers(groups, seed + 2, 5)
  return {
    shape: [outputs, inputs],
    scheme: { bits, group, symmetric: false },
    codes: Uint8Array.from(integers(outputs * inputs, seed, levels)),
    scales: uniform({ shape: [groups], seed: seed + 1, scale: 0.5 / levels, offset: 1 / levels }),
    zeros: Uint8Array.from(zeros, (zero) => levels / 2 - 2 + zero),
  }
}

const rowsOf = (rows: number, { inputs }: Linear): HostArray.HostArray =>
  HostArray.make([rows, inputs], uniform({ shape: [rows, inputs], seed: 17 }))

/** x · Wᵀ of every linear in `f64`, one after the other. */
const products = (linears: ReadonlyArray<Linear>, rows: number, bits: 4 | 8): Float64Array => {
  const found = new Float64Array(linears.reduce((sum, { outputs }) => sum + rows * outputs, 0))
  let at = 0
  for (const linear of linears) {
    const { outputs, inputs } = linear
    const x = rowsOf(rows, linear).data
    const { data } = dequantize(weightOf(linear, bits))
    for (let row = 0; row < rows; row++) {
      for (let o = 0; o < outputs; o++, at++) {
        for (let i = 0; i < inputs; i++) found[at] += x[row * inputs + i] * data[o * inputs + i]
      }
    }
  }
  return found
}

/** The products of all linears one after the other, given for each its x and the arrays of its weight. */
const multiplyAll =
  (linears: ReadonlyArray<Linear>, multiply: (x: T, weight: ReadonlyArray<T>) => T) =>
  (...arrays: ReadonlyArray<T>): T => {
    const each = arrays.length / linears.length
    const found = linears.map((_, i) => {
      const [x, ...weight] = arrays.slice(each * i, each * (i + 1))
      return Tensor.reshape(multiply(x, weight), [-1])
    })
    return found.length === 1 ? found[0] : Tensor.concat(found, 0)
  }

/** Products with quantised weights, packed and dense. */
const productCase = (
  name: string,
  title: string,
  linears: ReadonlyArray<Linear>,
  [rows, bits]: readonly [rows: number, bits: 4 | 8],
  atLeast: number,
): Case => {
  const size = linears.reduce((sum, { outputs, inputs }) => sum + outputs * inputs, 0)
  return {
    name,
    title,
    // What the dense product has to do.
    work: { amount: (2 * rows * size) / 1e9, unit: "GFLOP" },
    tolerance: 2e-5,
    reference: () => products(linears, rows, bits),
    implementations: {
      ours: arraysSubject(
        name,
        () =>
          linears.flatMap((linear) => {
            const { codes, scales, zeros } = packWeight(weightOf(linear, bits))
            return [rowsOf(rows, linear), codes, scales, zeros]
          }),
        multiplyAll(linears, (x, [codes, scales, zeros]) =>
          quantizedLinear(x, { codes, scales, zeros }),
        ),
      ),
      plain: arraysSubject(
        name,
        () =>
          linears.flatMap((linear) => [rowsOf(rows, linear), dequantize(weightOf(linear, bits))]),
        multiplyAll(linears, (x, [weight]) => Tensor.matmul(x, Tensor.transpose(weight))),
      ),
    },
    targets: [{ kind: "speed", than: "plain", atLeast }],
  }
}

/** The linears of a decoder with 64 million parameters in them: attention and a gated feed-forward. */
const linearsOfModel = (quick: boolean): ReadonlyArray<Linear> => {
  const [width, hidden, blocks] = quick ? [128, 256, 1] : [768, 2816, 7]
  return Array.from({ length: blocks }, () => [
    ...[width, width, width, width, hidden, hidden].map((outputs) => [outputs, width]),
    [width, hidden],
  ])
    .flat()
    .map(([outputs, inputs], i) => ({ outputs, inputs, seed: 20 + 3 * i }))
}

/** What weights of 4 and 8 bits bring: all linears of a model for one token, and one linear for some rows. */
export const quantizedCases = (quick: boolean): ReadonlyArray<Case> => {
  const linears = linearsOfModel(quick)
  const [large, wide, many] = quick ? [128, 256, 20] : [2048, 5632, 512]
  const model = (bits: 4 | 8, atLeast: number) =>
    productCase(
      `quantized-model-int${bits}`,
      `the ${linears.length} linears of a model of ${quick ? "few" : "62 million"} parameters for one token, int${bits} in groups of ${group}; dense elsewhere`,
      linears,
      [1, bits],
      atLeast,
    )
  const one = (rows: number, outputs: number, name: string, atLeast: number) =>
    productCase(
      name,
      `${rows} × an int4 weight ${outputs}×${large} in groups of ${group}; dense elsewhere`,
      [{ outputs, inputs: large, seed: 20 }],
      [rows, 4],
      atLeast,
    )
  return [
    model(4, 2),
    model(8, 1.7),
    one(1, wide, "quantized-1x5632", 2),
    one(8, large, "quantized-8x2048", 1.2),
    one(64, large, "quantized-64x2048", 1),
    one(many, large, "quantized-512x2048", 0.9),
  ]
}
