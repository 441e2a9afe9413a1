import type { DeviceArray as Arrays } from "@espalier/tensor"
import { DeviceArray, Matrix, Spec, Tensor } from "@espalier/tensor"
import { Effect } from "effect"
import type { Accumulator, Accumulators, Statistic } from "./statistic.ts"

/** Rows of the Hessian that one accumulator holds. */
const panel = 256

const panelsOf = (inputs: number): ReadonlyArray<number> =>
  Array.from({ length: Math.ceil(inputs / panel) }, (_, i) => i * panel)

const panelName = (first: number): string => `rows ${first}`

const panelOf = (inputs: number, first: number): Accumulator => {
  const rows = Math.min(panel, inputs - first)
  return {
    spec: Spec.f32([rows, inputs - first]),
    add: (sum, input) => {
      const x = Tensor.reshape(input, [-1, inputs])
      const right = Tensor.slice(x, [0, first], [x.shape[0], inputs])
      const left = Tensor.slice(x, [0, first], [x.shape[0], first + rows])
      return Tensor.add(sum, Tensor.matmul(Tensor.transpose(left), right))
    },
  }
}

/**
 * Σ x xᵀ over every token, [inputs, inputs], of which only the upper triangle is added up: panel i
 * holds rows 256·i … from its own diagonal block on. {@link readHessian} puts it together.
 */
export const hessianOfInputs: Statistic = {
  name: "hessian",
  accumulators: (inputs) =>
    Object.fromEntries(
      panelsOf(inputs).map((first) => [panelName(first), panelOf(inputs, first)] as const),
    ),
}

/** What the layerwise problem min ‖(W − W₀) X‖² knows of X: H = Σ x xᵀ over all tokens. */
export interface Hessian {
  readonly inputs: number
  /** Its upper triangle, as `Matrix.UpperTriangle` has it. */
  readonly upper: Float32Array
}

/** Puts the Hessian together from what {@link hessianOfInputs} gathered, and frees that. */
export const readHessian = Effect.fnUntraced(function* (
  inputs: number,
  accumulators: Accumulators<Arrays.DeviceArray>,
) {
  const upper = new Float32Array(Matrix.upperRow(inputs, inputs))
  for (const first of panelsOf(inputs)) {
    const found = yield* DeviceArray.toHost(accumulators[panelName(first)])
    DeviceArray.release(accumulators[panelName(first)])
    const [rows, width] = found.shape
    for (let r = 0; r < rows; r++) {
      const values = found.data.subarray(r * width + r, (r + 1) * width)
      upper.set(values, Matrix.upperRow(inputs, first + r))
    }
  }
  const hessian: Hessian = { inputs, upper }
  return hessian
})

/** All of a Hessian, [inputs, inputs], row-major. */
export const fullHessian = ({ inputs, upper }: Hessian): Float32Array => {
  const full = new Float32Array(inputs * inputs)
  for (let i = 0, at = 0; i < inputs; i++) {
    for (let j = i; j < inputs; j++, at++) full[i * inputs + j] = full[j * inputs + i] = upper[at]
  }
  return full
}

/** Σ x² of each input: the diagonal. */
export const diagonalOf = ({ inputs, upper }: Hessian): Float32Array =>
  Float32Array.from({ length: inputs }, (_, i) => upper[Matrix.upperRow(inputs, i)])
