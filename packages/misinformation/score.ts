import { rouge } from "@espalier/evaluation"
import { type Answer, readAnswer } from "./answer.ts"

/** The challenge's figures. BERTScore, which its script prints too, is not among them. */
export interface FmdScore {
  readonly accuracy: number
  /** The same as the accuracy, since each item has one label and one answer. */
  readonly microF1: number
  /** Mean F1 of ROUGE-1 over all items. */
  readonly rouge1: number
  readonly rouge2: number
  readonly rougeL: number
  /** (micro-F1 + ROUGE-1) / 2. */
  readonly overall: number
  readonly items: number
  /** Answers in which no label is read; they are wrong. */
  readonly unparsable: number
}

/** How one answer does. */
export interface ItemScore {
  readonly right: boolean
  readonly unparsable: boolean
  readonly rouge1: number
  readonly rouge2: number
  readonly rougeL: number
}

/** Scores one answer against the right one. */
export const scoreAnswer = (given: Answer, wanted: Answer): ItemScore => {
  const { rouge1, rouge2, rougeL } = rouge(wanted.explanation, given.explanation)
  return {
    right: given.label !== undefined && given.label === wanted.label,
    unparsable: given.label === undefined,
    rouge1: rouge1.f1,
    rouge2: rouge2.f1,
    rougeL: rougeL.f1,
  }
}

/** What {@link FmdScore} is computed from: sums, so that files of any size fit. */
export interface ScoreSums {
  readonly items: number
  readonly right: number
  readonly unparsable: number
  readonly rouge1: number
  readonly rouge2: number
  readonly rougeL: number
}

export const noScores: ScoreSums = {
  items: 0,
  right: 0,
  unparsable: 0,
  rouge1: 0,
  rouge2: 0,
  rougeL: 0,
}

/** The sums with one more item. */
export const addScore = (sums: ScoreSums, score: ItemScore): ScoreSums => ({
  items: sums.items + 1,
  right: sums.right + (score.right ? 1 : 0),
  unparsable: sums.unparsable + (score.unparsable ? 1 : 0),
  rouge1: sums.rouge1 + score.rouge1,
  rouge2: sums.rouge2 + score.rouge2,
  rougeL: sums.rougeL + score.rougeL,
})

/** The challenge's figures of all that was added; means of nothing are 0. */
export const scoreOf = (sums: ScoreSums): FmdScore => {
  const meanOf = (sum: number) => sum / Math.max(1, sums.items)
  const accuracy = meanOf(sums.right)
  return {
    accuracy,
    microF1: accuracy,
    rouge1: meanOf(sums.rouge1),
    rouge2: meanOf(sums.rouge2),
    rougeL: meanOf(sums.rougeL),
    overall: (accuracy + meanOf(sums.rouge1)) / 2,
    items: sums.items,
    unparsable: sums.unparsable,
  }
}

/**
 * The challenge's score of predictions: each an `output` as a model wrote it, the prompt before it or
 * not, against the `output` of the right answer.
 *
 * @example
 * ```ts
 * import { scoreOutputs } from "@espalier/misinformation"
 * const gold = "Prediction: False.\nExplanation: The photo is from 2014."
 * const score = scoreOutputs([["Prediction: False\nExplanation: The photo is old.", gold]])
 * console.log(score.microF1, score.rouge1) // 1 and 0.66…
 * ```
 */
export const scoreOutputs = (
  pairs: Iterable<readonly [output: string, gold: string]>,
): FmdScore => {
  let sums = noScores
  for (const [output, gold] of pairs) {
    sums = addScore(sums, scoreAnswer(readAnswer(output), readAnswer(gold)))
  }
  return scoreOf(sums)
}
