import type { HostArray as Hosts } from "@espalier/tensor"
import { HostArray, Spec, Tensor } from "@espalier/tensor"
import { Result, Schema } from "effect"
import { multiplyPacked } from "./packed_two_of_four_kernel.ts"

type T = Tensor.Tensor

/**
 * A weight [outputs, inputs] that keeps at most two of every four consecutive inputs, as it is stored:
 * four outputs side by side, so that they fill a vector. `f32` weights take 17/32 of their dense bytes.
 *
 * `A` is a `HostArray` where it is stored, a `Spec` where a program takes it, a `Tensor` inside.
 */
export interface PackedTwoOfFour<A> {
  /** `f32` [outputs / 4, inputs / 4, 2, 4]: the first kept weights of four outputs, then the second. */
  readonly values: A
  /**
   * `u32` [outputs / 4, ⌈inputs / 8⌉]: where among their four inputs they stood. For output o and group g
   * two bits of word g / 2 each: from 16·(g mod 2) + 2·(o mod 4) on, and 8 bits further up.
   */
  readonly places: A
}

/** A weight that is not 2:4, or of a size that does not pack. */
export class NotTwoOfFour extends Schema.TaggedError<NotTwoOfFour>()("NotTwoOfFour", {
  shape: Schema.Array(Schema.Int),
  problem: Schema.String,
  /** Where a group of four inputs keeps more than two: the row of the weight and the group. */
  output: Schema.optionalKey(Schema.Int),
  group: Schema.optionalKey(Schema.Int),
  hint: Schema.String,
}) {
  override get message(): string {
    return `a weight of shape [${this.shape.join(", ")}] cannot be packed as 2:4: ${this.problem}. ${this.hint}`
  }
}

/** Four outputs by two groups share a word of places. */
const groupsPerWord = 2

/** The arrays of a packed weight [outputs, inputs]; both go in fours. */
export const packedTwoOfFourSpec = (outputs: number, inputs: number): PackedTwoOfFour<Spec> => {
  const [tiles, groups] = [outputs / 4, inputs / 4]
  return {
    values: Spec.f32([tiles, groups, 2, 4]),
    places: Spec.u32([tiles, Math.ceil(groups / groupsPerWord)]),
  }
}

const problemOf = ({ shape, dtype }: Hosts.HostArray): string | undefined => {
  if (shape.length !== 2 || dtype !== "f32") return `it is ${dtype} and of rank ${shape.length}`
  if (shape.some((extent) => extent === 0 || extent % 4 !== 0))
    return "outputs and inputs go in fours"
  return undefined
}

/**
 * Packs a 2:4 weight, `f32` [outputs, inputs]. Fewer than two weights in a group are padded with zeros.
 * Fails where a group has more than two, and names it.
 *
 * @example
 * ```ts
 * import { HostArray } from "@espalier/tensor"
 * import { packTwoOfFour } from "@espalier/pruning"
 * import { Effect } from "effect"
 *
 * const weight = HostArray.make([4, 4], [0, 1, 0, 2, 3, 4, 0, 0, 0, 0, 5, 6, 7, 0, 0, 8])
 * const { values } = await Effect.runPromise(Effect.fromResult(packTwoOfFour(weight)))
 * console.log(values.data) // Float32Array(8) [ 1, 3, 5, 7, 2, 4, 6, 8 ]
 * ```
 */
export const packTwoOfFour = (
  weight: Hosts.HostArray,
): Result.Result<PackedTwoOfFour<Hosts.HostArray>, NotTwoOfFour> => {
  const { shape, data } = weight
  const problem = problemOf(weight)
  if (problem !== undefined) {
    return Result.fail(new NotTwoOfFour({ shape, problem, hint: "Leave it dense." }))
  }
  const [outputs, inputs] = shape
  const spec = packedTwoOfFourSpec(outputs, inputs)
  const [tiles, groups] = spec.values.shape
  const [, words] = spec.places.shape
  const values = new Float32Array(outputs * groups * 2)
  const places = new Uint32Array(tiles * words)
  for (let o = 0; o < outputs; o++) {
    const [tile, lane] = [o >> 2, o & 3]
    for (let g = 0; g < groups; g++) {
      const from = o * inputs + 4 * g
      let which = 0
      let last = 0
      for (let i = 0; i < 4; i++) {
        if (data[from + i] === 0) continue
        if (which === 2) {
          const problem = `group ${g} of row ${o} keeps more than two weights`
          const hint = "Prune it with 2:4 first, or leave it dense."
          return Result.fail(new NotTwoOfFour({ shape, problem, output: o, group: g, hint }))
        }
        values[((tile * groups + g) * 2 + which) * 4 + lane] = data[from + i]
        places[tile * words + (g >> 1)] |= i << (16 * (g & 1) + 8 * which + 2 * lane)
        which++
        last = i
      }
      // The places of a group differ, whatever stands there.
      for (; which < 2; which++) {
        last = (last + 1) & 3
        places[tile * words + (g >> 1)] |= last << (16 * (g & 1) + 8 * which + 2 * lane)
      }
    }
  }
  return Result.succeed({
    values: HostArray.make(spec.values.shape, values),
    places: HostArray.make(spec.places.shape, places),
  })
}

/** The dense weight [outputs, inputs] again, bit for bit but for the sign of its zeros. */
export const unpackTwoOfFour = ({
  values,
  places,
}: PackedTwoOfFour<Hosts.HostArray>): Hosts.HostArray => {
  const [tiles, groups] = values.shape
  const [, words] = places.shape
  const [outputs, inputs] = [4 * tiles, 4 * groups]
  const data = new Float32Array(outputs * inputs)
  for (let o = 0; o < outputs; o++) {
    const [tile, lane] = [o >> 2, o & 3]
    for (let g = 0; g < groups; g++) {
      const word = places.data[tile * words + (g >> 1)]
      for (const which of [0, 1]) {
        const at = (word >>> (16 * (g & 1) + 8 * which + 2 * lane)) & 3
        data[o * inputs + 4 * g + at] += values.data[((tile * groups + g) * 2 + which) * 4 + lane]
      }
    }
  }
  return HostArray.make([outputs, inputs], data)
}

/**
 * x · Wᵀ for a packed weight: x `f32` [..., inputs] → [..., outputs]. On `wasm`, and for up to four rows
 * on `webgpu`, the packed arrays are read as they are; otherwise the weight is unpacked first, for the
 * time of the product.
 *
 * @example
 * ```ts
 * import { HostArray, Interpreter, Program, Spec, Tensor } from "@espalier/tensor"
 * import { packTwoOfFour, twoOfFourLinear } from "@espalier/pruning"
 * import { Effect } from "effect"
 *
 * const weight = HostArray.make([4, 4], [0, 1, 0, 2, 3, 4, 0, 0, 0, 0, 5, 6, 7, 0, 0, 8])
 * const y = Effect.gen(function* () {
 *   const packed = yield* Effect.fromResult(packTwoOfFour(weight))
 *   const linear = Program.make(
 *     "linear",
 *     { x: Spec.f32([1, 4]), packed: Spec.of(packed) },
 *     ({ x, packed }) => twoOfFourLinear(x, packed),
 *   )
 *   const run = yield* Program.compile(linear)
 *   return yield* Tensor.toArray(yield* run({ x: HostArray.make([1, 4], [1, 2, 3, 4]), packed }))
 * })
 * const found = y.pipe(Effect.scoped, Effect.provide(Interpreter.layer))
 * console.log(await Effect.runPromise(found)) // [ 10, 11, 39, 39 ]
 * ```
 */
export const twoOfFourLinear = (x: T, { values, places }: PackedTwoOfFour<T>): T => {
  const inputs = x.shape[x.shape.length - 1]
  const product = multiplyPacked(Tensor.reshape(x, [-1, inputs]), values, places)
  return Tensor.reshape(product, [...x.shape.slice(0, -1), 4 * values.shape[0]])
}
