import { uniformNumbers } from "./random_numbers.ts"

/** A figure with its percentile interval. */
export interface Interval {
  readonly estimate: number
  readonly low: number
  readonly high: number
}

/** How an interval is made. */
export interface BootstrapOptions {
  /** Resamples; 2000. */
  readonly resamples?: number
  /** What share of the resamples the interval holds; 0.95. */
  readonly level?: number
  /** 0. The same seed gives the same resamples. */
  readonly seed?: number
}

/** The value below which a share of the sorted numbers lies, between two by their distance. */
export const quantile = (sorted: Float64Array, share: number): number => {
  const place = share * (sorted.length - 1)
  const below = Math.floor(place)
  const above = Math.min(sorted.length - 1, below + 1)
  return sorted[below] + (place - below) * (sorted[above] - sorted[below])
}

/** The arithmetic mean; `NaN` of nothing. */
export const mean = (values: ReadonlyArray<number>): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/**
 * A statistic of items with its percentile bootstrap interval: items are drawn with replacement, as
 * many as there are, and the statistic is computed of each draw (Efron 1979). Where items are drawn
 * in which the statistic is undefined (`NaN`), the draw is left out.
 *
 * @example
 * ```ts
 * import { bootstrapInterval, mean } from "@espalier/evaluation"
 * const { estimate, low, high } = bootstrapInterval([1, 2, 3, 4, 5], mean)
 * console.log(estimate, low < 3, high > 3) // 3 true true
 * ```
 */
export const bootstrapInterval = <A>(
  items: ReadonlyArray<A>,
  statistic: (items: ReadonlyArray<A>) => number,
  { resamples = 2000, level = 0.95, seed = 0 }: BootstrapOptions = {},
): Interval => {
  const next = uniformNumbers(seed)
  const drawn = Float64Array.from({ length: resamples }, () =>
    statistic(items.map(() => items[Math.floor(next() * items.length)])),
  )
  const sorted = drawn.filter((value) => !Number.isNaN(value)).sort()
  return {
    estimate: statistic(items),
    low: quantile(sorted, (1 - level) / 2),
    high: quantile(sorted, (1 + level) / 2),
  }
}

/**
 * How much larger a statistic is of one system than of another on the same items, with its interval.
 * Each draw takes the same items of both, so that what makes items hard is no noise. An interval
 * clear of 0 says that the systems differ.
 *
 * @throws RangeError where the systems have not the same number of items.
 *
 * @example
 * ```ts
 * import { mean, pairedBootstrap } from "@espalier/evaluation"
 * const better = [0.5, 0.7, 0.2, 0.9]
 * const worse = [0.4, 0.5, 0.1, 0.7]
 * console.log(pairedBootstrap(better, worse, mean).low > 0) // true
 * ```
 */
export const pairedBootstrap = <A>(
  first: ReadonlyArray<A>,
  second: ReadonlyArray<A>,
  statistic: (items: ReadonlyArray<A>) => number,
  options: BootstrapOptions = {},
): Interval => {
  if (first.length !== second.length) {
    throw new RangeError(`paired systems have the same items: ${first.length}, ${second.length}`)
  }
  const places = first.map((_, i) => i)
  return bootstrapInterval(
    places,
    (drawn) => statistic(drawn.map((i) => first[i])) - statistic(drawn.map((i) => second[i])),
    options,
  )
}
