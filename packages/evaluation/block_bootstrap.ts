import { type BootstrapOptions, type Interval, quantile } from "./bootstrap.ts"
import { uniformNumbers } from "./random_numbers.ts"

/** How an interval over a series is made. */
export interface BlockBootstrapOptions extends BootstrapOptions {
  /** The mean length of a block; √n rounded up. 1 draws items one by one. */
  readonly block?: number
}

/**
 * A statistic of a series with its percentile interval by the stationary bootstrap (Politis and Romano
 * 1994): blocks that begin anywhere, go on past the end at the beginning, and have geometric lengths, so
 * that what days have to do with the days after them stays in the resamples. Draws in which the
 * statistic is undefined (`NaN`) are left out; where it always is, the ends are `NaN`.
 *
 * For two systems on the same days, give the pairs as items: each draw then takes the same days of both.
 *
 * @example
 * ```ts
 * import { blockBootstrap, mean } from "@espalier/evaluation"
 * const wave = Array.from({ length: 200 }, (_, day) => Math.sin(day / 9))
 * const width = ({ low, high }: { readonly low: number; readonly high: number }) => high - low
 * const alone = blockBootstrap(wave, mean, { block: 1 })
 * console.log(width(blockBootstrap(wave, mean, { block: 20 })) > 2 * width(alone)) // true
 * ```
 */
export const blockBootstrap = <A>(
  items: ReadonlyArray<A>,
  statistic: (items: ReadonlyArray<A>) => number,
  options: BlockBootstrapOptions = {},
): Interval => {
  const { resamples = 2000, level = 0.95, seed = 0 } = options
  const { block = Math.ceil(Math.sqrt(items.length)) } = options
  const next = uniformNumbers(seed)
  const draw = () => {
    let at = 0
    return items.map((_, i) => {
      // Both numbers are drawn each time, so that draws of other lengths begin at the same places.
      const [anew, place] = [next() * block < 1, Math.floor(next() * items.length)]
      at = i === 0 || anew ? place : (at + 1) % items.length
      return items[at]
    })
  }
  const drawn = Float64Array.from({ length: resamples }, () => statistic(draw()))
  const sorted = drawn.filter((value) => !Number.isNaN(value)).sort()
  const end = (share: number) => (sorted.length === 0 ? NaN : quantile(sorted, share))
  return {
    estimate: statistic(items),
    low: end((1 - level) / 2),
    high: end((1 + level) / 2),
  }
}
