import { firstLowRankA } from "@espalier/models"
import { HostArray, Tensor } from "@espalier/tensor"
import { changedWeight } from "./dl_qat.ts"
import { fakeQuantize, tracedCodes, tracedRange } from "./fake_quantize.ts"
import type { QatMethod } from "./qat.ts"
import type { Scheme } from "./scheme.ts"
import { groupCount, groupWidth } from "./scheme.ts"

type T = Tensor.Tensor

/** Options of {@link qLora} and {@link qaLora}. */
export interface LowRankBaselineOptions {
  readonly rank: number
  /** The change is B · A times `alpha` / `rank`; `alpha` is `rank` by default. */
  readonly alpha?: number
}

/**
 * LoRA over a frozen quantised model, which is merged into the weights in the end and rounded once
 * more (in the manner of QLoRA, Dettmers et al. 2023, whose integers are of another kind): training
 * does not see the second rounding.
 */
export const qLora = ({ rank, alpha = rank }: LowRankBaselineOptions): QatMethod => ({
  name: "qlora",
  initial: ({ shape: [outputs, inputs] }, _, seed) => ({
    a: firstLowRankA(rank, inputs, seed),
    b: HostArray.zeros([outputs, rank]),
  }),
  weight: ({ frozen, trained, scheme }) => {
    const rounded = Tensor.stopGradient(fakeQuantize(frozen.weight, frozen, scheme))
    return changedWeight(rounded, trained, alpha / rank)
  },
  quantized: ({ frozen, trained, scheme }) => {
    const rounded = fakeQuantize(frozen.weight, frozen, scheme)
    const merged = changedWeight(rounded, trained, alpha / rank)
    const grid = tracedRange(merged, scheme)
    return { codes: tracedCodes(merged, grid, scheme), ...grid }
  },
})

/** A change of each group, [outputs, groups], for all of its weights. */
const spread = (change: T, scheme: Scheme, inputs: number): T => {
  const [outputs, groups] = change.shape
  const shape = [outputs, groups, groupWidth(scheme, inputs)]
  const wide = Tensor.broadcastTo(Tensor.reshape(change, [outputs, groups, 1]), shape)
  return Tensor.reshape(wide, [outputs, inputs])
}

/**
 * QA-LoRA (Xu et al. 2023): LoRA that sees the mean of each group of inputs, so that what it adds to a
 * weight is the same in a whole group and goes into the zero points. These are no whole numbers then:
 * the model is as good as the method makes it, but the integer formats do not hold it.
 */
export const qaLora = ({ rank, alpha = rank }: LowRankBaselineOptions): QatMethod => {
  const changeOf = ({ a, b }: Readonly<Record<string, T>>): T =>
    Tensor.mul(Tensor.matmul(b, a), alpha / rank)
  return {
    name: "qa-lora",
    initial: ({ shape: [outputs, inputs] }, scheme, seed) => ({
      a: firstLowRankA(rank, groupCount(scheme, inputs), seed),
      b: HostArray.zeros([outputs, rank]),
    }),
    weight: ({ frozen, trained, scheme }) => {
      const rounded = Tensor.stopGradient(fakeQuantize(frozen.weight, frozen, scheme))
      const [, inputs] = rounded.shape
      return Tensor.add(rounded, spread(changeOf(trained), scheme, inputs))
    },
    quantized: ({ frozen, trained, scheme }) => {
      const { scales, zeros } = frozen
      return {
        codes: tracedCodes(frozen.weight, frozen, scheme),
        scales,
        zeros: Tensor.sub(zeros, Tensor.div(changeOf(trained), scales)),
      }
    },
  }
}
