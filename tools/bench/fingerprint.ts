/** What a contestant tells of its result: enough to compare, small enough for one line of JSON. */
export interface Fingerprint {
  readonly length: number
  readonly sum: number
  /** Σ |x| */
  readonly absolute: number
  /** Values at positions spread over the whole. */
  readonly samples: ReadonlyArray<number>
}

/** Results up to this length are told in full. */
const mostSamples = 512
/** A prime, so that the positions walk through all columns. */
const spreadSamples = 509

const positionsOf = (length: number): ReadonlyArray<number> =>
  length <= mostSamples
    ? Array.from({ length }, (_, i) => i)
    : Array.from({ length: spreadSamples }, (_, i) =>
        Math.floor((i * (length - 1)) / (spreadSamples - 1)),
      )

export const fingerprintOf = (values: ArrayLike<number>): Fingerprint => {
  let sum = 0
  let absolute = 0
  for (let i = 0; i < values.length; i++) {
    sum += values[i]
    absolute += Math.abs(values[i])
  }
  const samples = positionsOf(values.length).map((i) => values[i])
  return { length: values.length, sum, absolute, samples }
}

/**
 * Why `found` is not `expected`, or `undefined` where it is. A sample may be off by `tolerance` times
 * its size or the root mean square of all samples, whichever is larger; the sum by `tolerance` times Σ|x|.
 */
export const disagreement = (
  found: Fingerprint,
  expected: Fingerprint,
  tolerance: number,
): string | undefined => {
  if (found.length !== expected.length) {
    return `${found.length} values instead of ${expected.length}`
  }
  const squares = expected.samples.reduce((total, x) => total + x * x, 0)
  const scale = Math.sqrt(squares / Math.max(1, expected.samples.length))
  const positions = positionsOf(expected.length)
  for (const [i, value] of expected.samples.entries()) {
    const error = Math.abs(found.samples[i] - value)
    // Written so that a number that is none is refused as well.
    if (error <= tolerance * Math.max(scale, Math.abs(value))) continue
    return `value ${positions[i]} is ${found.samples[i]}, not ${value}`
  }
  for (const key of ["sum", "absolute"] as const) {
    if (Math.abs(found[key] - expected[key]) <= tolerance * expected.absolute) continue
    const what = key === "sum" ? "the sum" : "the sum of absolute values"
    return `${what} is ${found[key]}, not ${expected[key]}`
  }
  return undefined
}
