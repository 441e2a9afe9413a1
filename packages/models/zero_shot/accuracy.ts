import type { ZeroShotItem } from "./items.ts"
import type { Likelihood } from "./log_likelihood.ts"

/** Whether a question was answered rightly. */
export interface ItemScore {
  /** The right choice has the largest log-likelihood; of a single request, it is what greedy decoding gives. */
  readonly right: boolean
  /** The same with log-likelihoods per character of the choice. */
  readonly rightPerCharacter?: boolean
  /** Of a single request. */
  readonly logLikelihood?: number
}

/** The first place of the largest value. */
const argmax = (values: ReadonlyArray<number>): number =>
  values.reduce((best, value, i) => (value > values[best] ? i : best), 0)

/**
 * Scores one question from the likelihoods of its requests.
 *
 * Source: `process_results` of lm-evaluation-harness: `acc` compares sums of log-probabilities, `acc_norm`
 * sums divided by the number of characters of the choice (without the space before it); of two equal ones
 * the first counts.
 *
 * @example
 * ```ts
 * const requests = ["yes", "certainly"].map((continuation) => ({ context: "?", continuation }))
 * const likelihoods = [-2, -3].map((logLikelihood) => ({ logLikelihood, greedy: false }))
 * scoreItem({ requests, gold: 1, characters: [3, 9] }, likelihoods)
 * // { right: false, rightPerCharacter: true }
 * ```
 */
export const scoreItem = (
  { gold, characters }: ZeroShotItem,
  likelihoods: ReadonlyArray<Likelihood>,
): ItemScore => {
  if (gold === undefined) {
    const [{ greedy, logLikelihood }] = likelihoods
    return { right: greedy, logLikelihood }
  }
  const sums = likelihoods.map(({ logLikelihood }) => logLikelihood)
  const right = argmax(sums) === gold
  if (characters === undefined) return { right }
  const perCharacter = sums.map((sum, i) => sum / characters[i])
  return { right, rightPerCharacter: argmax(perCharacter) === gold }
}

/** A mean and its standard error, which one value does not have. */
export interface MeanAndError {
  readonly mean: number
  readonly standardError?: number
}

/**
 * The mean of some values, and the sample standard deviation over √n as its standard error.
 *
 * Source: `mean_stderr` of lm-evaluation-harness.
 *
 * @example
 * ```ts
 * meanAndError([1, 0, 1, 1]) // { mean: 0.75, standardError: 0.25 }
 * ```
 */
export const meanAndError = (values: ReadonlyArray<number>): MeanAndError => {
  const count = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / count
  if (count < 2) return { mean }
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, standardError: Math.sqrt(squares / (count - 1) / count) }
}
