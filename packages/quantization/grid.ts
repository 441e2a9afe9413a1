import { Schema } from "effect"
import type { QuantizedWeight } from "./quantized_weight.ts"
import { clampCode, roundToEven } from "./rounding.ts"
import type { Scheme } from "./scheme.ts"
import { groupCount, groupWidth, levelsOf } from "./scheme.ts"

/** Scale and zero point of one group. */
export interface GroupGrid {
  readonly scale: number
  readonly zero: number
}

/** How the range of a group is chosen. */
export type RangeSearch = "min-max" | "mse"

/** Scales and zero points of a weight, [outputs, groups]. */
export type Grid = Pick<QuantizedWeight, "scales" | "zeros">

/** The weights of a group are so small that their scale is no normal number. */
export class ScaleUnderflow extends Schema.TaggedError<ScaleUnderflow>()("ScaleUnderflow", {
  tensor: Schema.String,
  output: Schema.Int,
  group: Schema.Int,
  scale: Schema.Finite,
  hint: Schema.String,
}) {
  override get message(): string {
    return `the scale of group ${this.group} of output ${this.output} of ${this.tensor} is ${this.scale}. ${this.hint}`
  }
}

const smallestNormal = 2 ** -126

/** A grid over a range. A group of zeros has any grid that holds 0. */
const gridOfRange = (low: number, high: number, scheme: Scheme): GroupGrid => {
  const levels = levelsOf(scheme)
  const half = (levels + 1) / 2
  if (low === 0 && high === 0) return { scale: 1, zero: scheme.symmetric ? half : 0 }
  const most = Math.max(-low, high)
  const [from, to] = scheme.symmetric ? [-most, most] : [low, high]
  const scale = Math.fround((to - from) / levels)
  if (scheme.symmetric) return { scale, zero: half }
  return { scale, zero: clampCode(roundToEven(Math.fround(-from / scale)), levels) }
}

/** The code of a weight, in `f32` arithmetic. */
export const codeOf = (weight: number, { scale, zero }: GroupGrid, levels: number): number =>
  clampCode(roundToEven(Math.fround(weight / scale)) + zero, levels)

const exponent = 2.4
const searchSteps = 100
const smallestShare = 0.2

/** Σ |ŵ − w|^2.4 of a group on a grid. */
const lossOf = (weights: Float32Array, grid: GroupGrid, levels: number): number => {
  let sum = 0
  for (const weight of weights) {
    const rounded = Math.fround(grid.scale * (codeOf(weight, grid, levels) - grid.zero))
    sum += Math.abs(rounded - weight) ** exponent
  }
  return sum
}

/**
 * The grid of one group: over its range with 0 in it (`min-max`), or over the share of this range, from
 * 1 down to above 0.2 in hundredths, that loses least by Σ |ŵ − w|^2.4 (`mse`).
 *
 * Source: Frantar et al. 2023, "GPTQ", and its code: `Quantizer.find_params`.
 */
export const gridOfGroup = (
  weights: Float32Array,
  scheme: Scheme,
  search: RangeSearch = "min-max",
): GroupGrid => {
  let [low, high] = [0, 0]
  for (const weight of weights) {
    if (weight < low) low = weight
    if (weight > high) high = weight
  }
  let best = gridOfRange(low, high, scheme)
  if (search === "min-max" || (low === 0 && high === 0)) return best
  const levels = levelsOf(scheme)
  let least = lossOf(weights, best, levels)
  const last = Math.round((1 - smallestShare) * searchSteps)
  for (let step = 1; step < last; step++) {
    const share = 1 - step / searchSteps
    const grid = gridOfRange(Math.fround(share * low), Math.fround(share * high), scheme)
    const loss = lossOf(weights, grid, levels)
    if (loss < least) [best, least] = [grid, loss]
  }
  return best
}

/** The first group whose scale is not a normal number, as a problem. */
export const checkGrid = (
  { scales }: Pick<Grid, "scales">,
  tensor: string,
  groups: number,
): ScaleUnderflow | undefined => {
  const at = scales.findIndex((scale) => !(scale >= smallestNormal))
  if (at < 0) return undefined
  const hint = "Are these weights meant to be zero? Set them to 0, or leave this layer as it is."
  const [output, group] = [Math.floor(at / groups), at % groups]
  return new ScaleUnderflow({ tensor, output, group, scale: scales[at], hint })
}

/** The grids of all groups of a weight [outputs, inputs]. */
export const gridOf = (
  weights: Float32Array,
  inputs: number,
  scheme: Scheme,
  search?: RangeSearch,
): Grid => {
  const width = groupWidth(scheme, inputs)
  const count = weights.length / width
  const [scales, zeros] = [new Float32Array(count), new Uint8Array(count)]
  for (let g = 0; g < count; g++) {
    const group = weights.subarray(g * width, (g + 1) * width)
    const { scale, zero } = gridOfGroup(group, scheme, search)
    scales[g] = scale
    zeros[g] = zero
  }
  return { scales, zeros }
}

/** The codes of weights [outputs, inputs] on their grids: each the nearest that there is. */
export const quantizeOnGrid = (
  weights: Float32Array,
  shape: QuantizedWeight["shape"],
  scheme: Scheme,
  { scales, zeros }: Grid,
): QuantizedWeight => {
  const [, inputs] = shape
  const width = groupWidth(scheme, inputs)
  const groups = groupCount(scheme, inputs)
  const levels = levelsOf(scheme)
  const codes = new Uint8Array(weights.length)
  for (let row = 0; row < weights.length; row += inputs) {
    for (let i = 0; i < inputs; i++) {
      const group = (row / inputs) * groups + Math.floor(i / width)
      codes[row + i] = codeOf(
        weights[row + i],
        { scale: scales[group], zero: zeros[group] },
        levels,
      )
    }
  }
  return { shape, scheme, codes, scales, zeros }
}
