/** The learning rate of each step, counted from 1. */
export type LearningRateSchedule = (step: number) => number

/** What every schedule with a warm-up is told. */
export interface WarmupOptions {
  /** The largest rate. */
  readonly peak: number
  /** Steps in which the rate rises from 0 in a line; none with 0. */
  readonly warmup: number
}

/** A schedule with the line of its warm-up before it. */
const afterWarmup =
  ({ peak, warmup }: WarmupOptions, rest: LearningRateSchedule): LearningRateSchedule =>
  (step) =>
    step <= warmup ? (peak * step) / Math.max(warmup, 1) : rest(step)

/** Always the same rate. */
export const constantRate =
  (rate: number): LearningRateSchedule =>
  () =>
    rate

/** Linear warm-up from 0 over `warmup` steps, then always `peak`. */
export const warmupConstant = (options: WarmupOptions): LearningRateSchedule =>
  afterWarmup(options, () => options.peak)

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
export const warmupCosine = (
  options: WarmupOptions & { readonly steps: number; readonly floor?: number },
): LearningRateSchedule =>
  afterWarmup(options, (step) => {
    const { peak, warmup, steps, floor = 0 } = options
    const done = Math.min((step - warmup) / Math.max(steps - warmup, 1), 1)
    return peak * (floor + ((1 - floor) * (1 + Math.cos(Math.PI * done))) / 2)
  })

/**
 * WSD: linear warm-up, then `peak`, then in the last `decay` steps a line down to `floor` · peak at
 * `steps` (Hu et al. 2024, MiniCPM). Unlike with a cosine, a run can be prolonged: its stable part
 * does not depend on where it ends.
 *
 * @example
 * ```ts
 * import { Schedules } from "@espalier/nn"
 *
 * const rate = Schedules.warmupStableDecay({ peak: 1, warmup: 10, decay: 20, steps: 100 })
 * console.log([5, 50, 80, 90, 100].map(rate)) // [ 0.5, 1, 1, 0.5, 0 ]
 * ```
 */
export const warmupStableDecay = (
  options: WarmupOptions & {
    readonly steps: number
    /** Steps of the decay. */
    readonly decay: number
    readonly floor?: number
  },
): LearningRateSchedule =>
  afterWarmup(options, (step) => {
    const { peak, decay, steps, floor = 0 } = options
    const left = Math.min(Math.max((steps - step) / Math.max(decay, 1), 0), 1)
    return peak * (floor + (1 - floor) * left)
  })
