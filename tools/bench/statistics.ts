/** What the rounds of one contestant came to. */
export interface Summary {
  readonly median: number
  readonly minimum: number
  readonly maximum: number
  readonly rounds: number
}

/** The middle value, or the mean of the two in the middle. `NaN` where there is none. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  if (sorted.length % 2 === 1) return sorted[middle]
  return (sorted[middle - 1] + sorted[middle]) / 2
}

export const summarize = (values: ReadonlyArray<number>): Summary => ({
  median: median(values),
  minimum: Math.min(...values),
  maximum: Math.max(...values),
  rounds: values.length,
})
