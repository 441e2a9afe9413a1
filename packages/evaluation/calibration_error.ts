/** Guesses of about the same confidence, and how often they are right. */
export interface ReliabilityBin {
  readonly low: number
  readonly high: number
  readonly items: number
  readonly confidence: number
  readonly accuracy: number
}

/** The class that a distribution puts first, and how sure it is. */
const guessOf = (probabilities: ReadonlyArray<number>) => {
  const confidence = Math.max(...probabilities)
  return { guess: probabilities.indexOf(confidence), confidence }
}

/** Guesses in bins of equal width by the probability of the class that is put first; empty ones left out. */
export const reliabilityBins = (
  probabilities: ReadonlyArray<ReadonlyArray<number>>,
  truth: ReadonlyArray<number>,
  bins = 10,
): ReadonlyArray<ReliabilityBin> => {
  const sums = Array.from({ length: bins }, () => ({ items: 0, confidence: 0, right: 0 }))
  for (const [i, each] of probabilities.entries()) {
    const { guess, confidence } = guessOf(each)
    const bin = sums[Math.min(bins - 1, Math.floor(confidence * bins))]
    bin.items += 1
    bin.confidence += confidence
    bin.right += guess === truth[i] ? 1 : 0
  }
  return sums.flatMap(({ items, confidence, right }, i) =>
    items === 0
      ? []
      : [
          {
            low: i / bins,
            high: (i + 1) / bins,
            items,
            confidence: confidence / items,
            accuracy: right / items,
          },
        ],
  )
}

/**
 * Expected calibration error: by how much confidence and accuracy differ in a bin, averaged over the
 * items (Guo et al. 2017, equation 3). `probabilities` has one distribution an item, `truth` the
 * place of the right class in it.
 *
 * @example
 * ```ts
 * import { expectedCalibrationError } from "@espalier/evaluation"
 * console.log(expectedCalibrationError([[0.75, 0.25], [0.75, 0.25]], [0, 1])) // 0.25
 * ```
 */
export const expectedCalibrationError = (
  probabilities: ReadonlyArray<ReadonlyArray<number>>,
  truth: ReadonlyArray<number>,
  bins = 10,
): number =>
  reliabilityBins(probabilities, truth, bins).reduce(
    (sum, bin) => sum + (bin.items / truth.length) * Math.abs(bin.accuracy - bin.confidence),
    0,
  )

/**
 * Brier score: the squared distance of a distribution from the truth, summed over the classes and
 * averaged over the items (Brier 1950), from 0 to 2.
 *
 * @example
 * ```ts
 * import { brierScore } from "@espalier/evaluation"
 * console.log(brierScore([[1, 0], [0.5, 0.5]], [0, 1])) // 0.25
 * ```
 */
export const brierScore = (
  probabilities: ReadonlyArray<ReadonlyArray<number>>,
  truth: ReadonlyArray<number>,
): number =>
  probabilities.reduce(
    (sum, each, i) =>
      sum + each.reduce((part, p, j) => part + (p - (j === truth[i] ? 1 : 0)) ** 2, 0),
    0,
  ) / truth.length
