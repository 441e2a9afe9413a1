import type { NamedLinear } from "@espalier/models"
import { firstLowRankA } from "@espalier/models"
import { HostArray, Tensor } from "@espalier/tensor"
import { fakeQuantize, tracedCodes } from "./fake_quantize.ts"
import type { QatMethod, TracedLinear } from "./qat.ts"
import { trainedShareOf } from "./qat.ts"
import type { Scheme } from "./scheme.ts"
import { groupCount } from "./scheme.ts"

type T = Tensor.Tensor

/** Options of {@link dlQat}. */
export interface DlQatOptions {
  /** Of the change of the weights; 0 trains magnitudes alone. */
  readonly rank: number
  /** The change is B · A times `alpha` / `rank`; `alpha` is `rank` by default. */
  readonly alpha?: number
  /** Trains a magnitude for each group; true. */
  readonly magnitude?: boolean
  /** How much faster than A and B the magnitudes are trained; 10. */
  readonly magnitudeRate?: number
}

/** W + (alpha / rank) · B · A; W where there is no rank. */
export const changedWeight = (weight: T, { a, b }: Readonly<Record<string, T>>, scale: number): T =>
  a === undefined ? weight : Tensor.add(weight, Tensor.mul(Tensor.matmul(b, a), scale))

/**
 * DL-QAT (EMNLP 2024 industry track): m · s · (clamp(round((W + (α/r) · B · A) / s) + z) − z) with the
 * grid (s, z) of W, a magnitude m for each group, 1 at first, and a change of low rank, 0 at first:
 * training begins at the model rounded to nearest. The gradient of rounding is that of doing nothing,
 * and there is none beyond the ends of the grid. What is left in the end is integers, scales m · s and
 * the zero points that were there.
 *
 * The paper's equations are not public: this is our reading of what is said of them (`paper.md`).
 */
export const dlQat = (options: DlQatOptions): QatMethod => {
  const { rank, alpha = rank, magnitude = true, magnitudeRate = 10 } = options
  const scale = rank === 0 ? 0 : alpha / rank
  const gridOf = ({ frozen: { scales, zeros }, trained: { m } }: TracedLinear) => ({
    scales,
    zeros,
    // Scales of formats are positive: a magnitude that crosses 0 is reflected.
    ...(m === undefined ? {} : { magnitude: Tensor.abs(m) }),
  })
  return {
    name: "dl-qat",
    initial: ({ shape: [outputs, inputs] }, scheme, seed) => ({
      ...(magnitude
        ? {
            m: HostArray.make(
              [outputs, groupCount(scheme, inputs)],
              new Float32Array(outputs * groupCount(scheme, inputs)).fill(1),
            ),
          }
        : {}),
      ...(rank === 0
        ? {}
        : { a: firstLowRankA(rank, inputs, seed), b: HostArray.zeros([outputs, rank]) }),
    }),
    rateOf: (name) => (name === "m" ? magnitudeRate : 1),
    weight: (linear) => {
      const { frozen, trained, scheme } = linear
      return fakeQuantize(changedWeight(frozen.weight, trained, scale), gridOf(linear), scheme)
    },
    quantized: (linear) => {
      const { frozen, trained, scheme } = linear
      const { scales, zeros, magnitude: m } = gridOf(linear)
      const weight = changedWeight(frozen.weight, trained, scale)
      return {
        codes: tracedCodes(weight, { scales, zeros }, scheme),
        scales: m === undefined ? scales : Tensor.mul(m, scales),
        zeros,
      }
    },
  }
}

/**
 * The largest rank with which a method trains no more than this share of the weights, at least 1. For
 * {@link dlQat}, the default, the share is Σ (r · (in + out) + out · groups) / Σ in · out.
 */
export const largestRank = (
  linears: ReadonlyArray<NamedLinear>,
  scheme: Scheme,
  trainableShare: number,
  make: (rank: number) => QatMethod = (rank) => dlQat({ rank }),
): number => {
  const shareOf = (rank: number) => trainedShareOf(make(rank), linears, scheme)
  const narrowest = Math.min(...linears.flatMap(({ shape }) => shape))
  let rank = 1
  while (rank < narrowest && shareOf(rank + 1) <= trainableShare) rank++
  return rank
}
