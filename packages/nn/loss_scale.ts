import { Schema } from "effect"

/** What losses are multiplied by before their gradient is taken, so that small gradients survive `f16`. */
export const LossScale = Schema.Struct({
  value: Schema.Finite,
  /** Steps since it last changed. */
  steps: Schema.Int,
})
export type LossScale = typeof LossScale.Type

export const firstLossScale: LossScale = { value: 2 ** 16, steps: 0 }

const growAfter = 2000
const largest = 2 ** 24

/**
 * The next scale (Micikevicius et al. 2018): half where a gradient overflowed, twice after 2000 steps
 * without that.
 */
export const nextLossScale = ({ value, steps }: LossScale, overflowed: boolean): LossScale => {
  if (overflowed) return { value: value / 2, steps: 0 }
  return steps + 1 < growAfter || value >= largest
    ? { value, steps: steps + 1 }
    : { value: value * 2, steps: 0 }
}
