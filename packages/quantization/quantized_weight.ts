import type { QuantizedMatrix } from "@espalier/models"
import { HostArray } from "@espalier/tensor"
import type { Scheme } from "./scheme.ts"
import { groupCount, groupWidth } from "./scheme.ts"

/** A weight as integers: `scale · (code − zero)`, with a scale and a zero point for each group. */
export interface QuantizedWeight {
  readonly shape: readonly [outputs: number, inputs: number]
  readonly scheme: Scheme
  /** [outputs, inputs], 0 … 2^bits − 1. */
  readonly codes: Uint8Array
  /** [outputs, groups]. */
  readonly scales: Float32Array
  /** [outputs, groups], 0 … 2^bits − 1. */
  readonly zeros: Uint8Array
}

/** The weights that the codes stand for, in `f32`: one rounding each. */
export const dequantize = ({
  shape,
  scheme,
  codes,
  scales,
  zeros,
}: Omit<QuantizedWeight, "codes" | "zeros"> & {
  readonly codes: ArrayLike<number>
  readonly zeros: ArrayLike<number>
}): HostArray.HostArray => {
  const [outputs, inputs] = shape
  const width = groupWidth(scheme, inputs)
  const groups = groupCount(scheme, inputs)
  const data = new Float32Array(codes.length)
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      const group = o * groups + Math.floor(i / width)
      data[o * inputs + i] = scales[group] * (codes[o * inputs + i] - zeros[group])
    }
  }
  return HostArray.make(shape, data)
}

/**
 * Bits that a weight takes, scales and zero points included: scales have 16 bits, zero points as many
 * as codes, and there are none where the scheme is symmetric.
 */
export const bitsPerWeight = ({
  shape: [, inputs],
  scheme,
}: Pick<QuantizedWeight, "shape" | "scheme">): number => {
  const { bits, symmetric } = scheme
  const perGroup = 16 + (symmetric ? 0 : bits)
  return bits + (groupCount(scheme, inputs) * perGroup) / inputs
}

/** The numbers of a weight as `f32`. */
export const floatsOf = ({ data }: HostArray.HostArray): Float32Array =>
  data instanceof Float32Array ? data : Float32Array.from(data)

/**
 * The same weight as the file formats of `@espalier/models` take it.
 *
 * @example
 * ```ts
 * import { writeGgufModel } from "@espalier/models"
 * import type { Quantized } from "@espalier/quantization"
 * import { matrixOf } from "@espalier/quantization"
 *
 * const write = ({ model, weights }: Quantized) => {
 *   const quantized = new Map([...weights].map(([path, weight]) => [path, matrixOf(weight)]))
 *   return writeGgufModel("model.gguf", model, { quantized })
 * }
 * ```
 */
export const matrixOf = ({
  shape,
  scheme,
  codes,
  scales,
  zeros,
}: QuantizedWeight): QuantizedMatrix => ({
  shape,
  bits: scheme.bits,
  groupSize: groupWidth(scheme, shape[1]),
  codes,
  scales,
  zeroPoints: zeros,
})
