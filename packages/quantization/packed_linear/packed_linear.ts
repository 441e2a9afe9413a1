import type { HostArray as Hosts } from "@espalier/tensor"
import { HostArray, ShapeError, Spec, Tensor } from "@espalier/tensor"
import { multiplyPacked } from "./kernel.ts"
import type { PackedBits } from "./sizes.ts"
import { chunkInputs, tileOutputs } from "./sizes.ts"
import type { QuantizedWeight } from "../quantized_weight.ts"
import type { Scheme } from "../scheme.ts"
import { groupCount } from "../scheme.ts"

type T = Tensor.Tensor

/**
 * A quantised weight as programs take it. Codes of 2 and 3 bits are stored in 4.
 *
 * `A` is a `HostArray` where it is stored, a `Spec` where a program takes it, a `Tensor` inside.
 */
export interface PackedWeight<A> {
  /**
   * `u32` [⌈outputs / 4⌉, ⌈inputs / 32⌉, bits, 4], where a code takes 4 or 8 bits: four outputs side by
   * side, and for each the codes of consecutive inputs, the lowest bits first. Zeros behind the last
   * output and the last input.
   */
  readonly codes: A
  /** `f32` [outputs, groups]. */
  readonly scales: A
  /** `u32` [⌈outputs / 4⌉, groups]: the zero points of four outputs as bytes, the lowest bits first. */
  readonly zeros: A
}

/** What a weight looked like before it was packed. */
type Unpacked = Pick<QuantizedWeight, "shape" | "scheme">

const packedBits = ({ bits }: Scheme): PackedBits => (bits === 8 ? 8 : 4)

/**
 * The arrays of a packed weight [outputs, inputs].
 *
 * @example
 * ```ts
 * import { packedWeightSpec } from "@espalier/quantization"
 *
 * const scheme = { bits: 4, group: 128, symmetric: false } as const
 * console.log(packedWeightSpec({ shape: [64, 256], scheme }).codes.shape) // [ 16, 8, 4, 4 ]
 * ```
 */
export const packedWeightSpec = ({
  shape: [outputs, inputs],
  scheme,
}: Unpacked): PackedWeight<Spec> => {
  const groups = groupCount(scheme, inputs)
  const [tiles, chunks] = [Math.ceil(outputs / tileOutputs), Math.ceil(inputs / chunkInputs)]
  return {
    codes: Spec.u32([tiles, chunks, packedBits(scheme), tileOutputs]),
    scales: Spec.f32([outputs, groups]),
    zeros: Spec.u32([tiles, groups]),
  }
}

/** Calls `visit` for each code: its place in the weight, its word, and its lowest bit there. */
const eachCode = (
  { shape: [outputs, inputs] }: Unpacked,
  [, chunks, bits]: ReadonlyArray<number>,
  visit: (at: number, word: number, shift: number) => void,
): void => {
  const perWord = 32 / bits
  for (let o = 0; o < outputs; o++) {
    const first = (o >> 2) * chunks * bits * tileOutputs + (o & 3)
    for (let i = 0; i < inputs; i++) {
      const code = i % perWord
      visit(o * inputs + i, first + tileOutputs * ((i - code) / perWord), bits * code)
    }
  }
}

/** The same for each zero point. */
const eachZero = (
  outputs: number,
  groups: number,
  visit: (at: number, word: number, shift: number) => void,
): void => {
  for (let o = 0; o < outputs; o++) {
    for (let g = 0; g < groups; g++) visit(o * groups + g, (o >> 2) * groups + g, 8 * (o & 3))
  }
}

/**
 * Packs a quantised weight for {@link quantizedLinear}, without loss.
 *
 * @example
 * ```ts
 * import type { QuantizedWeight } from "@espalier/quantization"
 * import { packWeight } from "@espalier/quantization"
 *
 * const weight: QuantizedWeight = {
 *   shape: [1, 5],
 *   scheme: { bits: 4, group: "channel", symmetric: false },
 *   codes: Uint8Array.of(1, 2, 3, 4, 5),
 *   scales: Float32Array.of(0.5),
 *   zeros: Uint8Array.of(2),
 * }
 * console.log(packWeight(weight).codes.data[0].toString(16)) // 54321
 * ```
 */
export const packWeight = (quantized: QuantizedWeight): PackedWeight<Hosts.HostArray> => {
  const { codes, scales, zeros } = packedWeightSpec(quantized)
  const made = {
    codes: HostArray.zeros(codes.shape, "u32"),
    scales: HostArray.make(scales.shape, quantized.scales.slice()),
    zeros: HostArray.zeros(zeros.shape, "u32"),
  }
  eachCode(quantized, codes.shape, (at, word, shift) => {
    made.codes.data[word] |= quantized.codes[at] << shift
  })
  eachZero(scales.shape[0], scales.shape[1], (at, word, shift) => {
    made.zeros.data[word] |= quantized.zeros[at] << shift
  })
  return made
}

/** The quantised weight again, given its shape and scheme. */
export const unpackWeight = (
  { codes, scales, zeros }: PackedWeight<Hosts.HostArray>,
  { shape, scheme }: Unpacked,
): QuantizedWeight => {
  const made = {
    shape,
    scheme,
    codes: new Uint8Array(shape[0] * shape[1]),
    scales: Float32Array.from(scales.data),
    zeros: new Uint8Array(scales.data.length),
  }
  const most = 2 ** packedBits(scheme) - 1
  eachCode(made, codes.shape, (at, word, shift) => {
    made.codes[at] = (codes.data[word] >>> shift) & most
  })
  eachZero(shape[0], scales.shape[1], (at, word, shift) => {
    made.zeros[at] = (zeros.data[word] >>> shift) & 255
  })
  return made
}

/** Throws where arrays are not those of one packed weight with so many inputs. */
const check = (x: T, { codes, scales, zeros }: PackedWeight<T>): void => {
  const refuse = (problem: string) => {
    const shapes = [x, codes, scales, zeros].map(({ shape }) => shape)
    throw new ShapeError({ operation: "quantizedLinear", shapes, problem })
  }
  const [tiles, chunks, bits, lanes] = codes.shape
  const [outputs, groups] = scales.shape
  const whole = chunks % groups === 0 && Math.ceil(outputs / tileOutputs) === tiles
  const same = String(zeros.shape) === String([tiles, groups])
  if ((bits !== 4 && bits !== 8) || lanes !== tileOutputs || !whole || !same)
    refuse("the last three are not the arrays of a packed weight")
  const inputs = x.shape.at(-1) ?? 0
  const [least, most] = [
    groups === 1 ? chunkInputs * (chunks - 1) + 1 : chunkInputs * chunks,
    chunkInputs * chunks,
  ]
  if (inputs < least || inputs > most) {
    const width = least === most ? least : `${least} to ${most}`
    refuse(`the weight has ${width} inputs, x has ${inputs}`)
  }
}

/**
 * x · Wᵀ for a packed weight W = scale·(code − zero): x `f32` [..., inputs] → [..., outputs], all
 * arithmetic in `f32`. On `wasm`, and for up to four rows on `webgpu`, the packed arrays are read as they
 * are; otherwise the weight is unpacked first, for the time of the product.
 *
 * On `wasm` codes and zero points are multiplied apart, Σ x·code − zero·Σ x over at most 128 inputs, so
 * rounding errors go with the size of the codes: up to twice those of a dense product for inputs around
 * 0, and about 3·10⁻⁶ of the result at 8 bits where the mean of the inputs is as large as their spread.
 *
 * Throws `ShapeError` where x has another width than the weight.
 *
 * @example
 * ```ts
 * import type { QuantizedWeight } from "@espalier/quantization"
 * import { packWeight, quantizedLinear } from "@espalier/quantization"
 * import { HostArray, Interpreter, Program, Spec, Tensor } from "@espalier/tensor"
 * import { Effect } from "effect"
 *
 * const weight: QuantizedWeight = {
 *   shape: [1, 4],
 *   scheme: { bits: 4, group: "channel", symmetric: false },
 *   codes: Uint8Array.of(1, 2, 3, 4),
 *   scales: Float32Array.of(0.5),
 *   zeros: Uint8Array.of(2),
 * }
 * const given = { x: HostArray.make([1, 4], [1, 2, 3, 4]), packed: packWeight(weight) }
 * const linear = Program.make("linear", Spec.of(given), ({ x, packed }) => quantizedLinear(x, packed))
 * const y = Effect.gen(function* () {
 *   const run = yield* Program.compile(linear)
 *   return yield* Tensor.toArray(yield* run(given))
 * })
 * const found = y.pipe(Effect.scoped, Effect.provide(Interpreter.layer))
 * console.log(await Effect.runPromise(found)) // [ 5 ]
 * ```
 */
export const quantizedLinear = (x: T, packed: PackedWeight<T>): T => {
  check(x, packed)
  const { codes, scales, zeros } = packed
  const rows = Tensor.reshape(x, [-1, x.shape[x.shape.length - 1]])
  const product = multiplyPacked(rows, codes, scales, zeros)
  return Tensor.reshape(product, [...x.shape.slice(0, -1), scales.shape[0]])
}
