/** The learning rate of each step, counted from 1. */
export type LearningRateSchedule = (step: number) => number

/** Always the same rate. */
export const constantRate =
  (rate: number): LearningRateSchedule =>
  () =>
    rate

/**
 * Linear warm-up from 0 over `warmup` steps, then half a cosine down to `floor` · peak at `steps`
 * (Loshchilov & Hutter 2017).
 *
 * @example
 * ```ts
 * import { Schedules } from "@espalier/nn"
 *
 * const rate = Schedules.warmupCosine({ peak: 1e-3, warmup: 10, steps: 100 })
 * console.log(rate(10)) // 0.001
 * ```
 */
export const warmupCosine =
  (options: {
    readonly peak: number
    readonly warmup: number
    readonly steps: number
    readonly floor?: number
  }): LearningRateSchedule =>
  (step) => {
    const { peak, warmup, steps, floor = 0 } = options
    if (step <= warmup) return (peak * step) / Math.max(warmup, 1)
    const done = Math.min((step - warmup) / Math.max(steps - warmup, 1), 1)
    return peak * (floor + ((1 - floor) * (1 + Math.cos(Math.PI * done))) / 2)
  }
