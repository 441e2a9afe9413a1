/** How well one label is found. */
export interface LabelReport<L extends string> {
  readonly label: L
  readonly precision: number
  readonly recall: number
  readonly f1: number
  /** Items that have it. */
  readonly support: number
}

/** How well labels are found. */
export interface ClassificationReport<L extends string> {
  readonly accuracy: number
  /** F1 of all decisions together. With one label an item and one guess for each it is the accuracy. */
  readonly microF1: number
  /** Mean of the F1 of the labels that occur, in truth or as a guess. */
  readonly macroF1: number
  readonly labels: ReadonlyArray<LabelReport<L>>
  /** `confusion[i][j]`: items of label i that were taken for label j; the last column is no label. */
  readonly confusion: ReadonlyArray<ReadonlyArray<number>>
}

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)
const f1Of = (hits: number, guesses: number, support: number) => ratio(2 * hits, guesses + support)

/**
 * Precision, recall and F1 of each label, their micro and macro averages, and the confusion matrix.
 * A guess that is none of the labels (`undefined`) is wrong, and no label's guess. What has no
 * denominator is 0.
 *
 * @throws RangeError where there are not as many guesses as items.
 *
 * @example
 * ```ts
 * import { classificationReport } from "@espalier/evaluation"
 * const report = classificationReport(["yes", "no"], ["yes", "yes", "no"], ["yes", "no", "no"])
 * console.log(report.accuracy, report.confusion) // 0.66… [ [ 1, 1, 0 ], [ 0, 1, 0 ] ]
 * ```
 */
export const classificationReport = <L extends string>(
  labels: ReadonlyArray<L>,
  truth: ReadonlyArray<L>,
  guesses: ReadonlyArray<L | undefined>,
): ClassificationReport<L> => {
  if (truth.length !== guesses.length) {
    throw new RangeError(`one guess an item: ${truth.length} items, ${guesses.length} guesses`)
  }
  const confusion = labels.map(() => Array.from({ length: labels.length + 1 }, () => 0))
  for (const [i, label] of truth.entries()) {
    const guess = guesses[i]
    const column = guess === undefined ? -1 : labels.indexOf(guess)
    confusion[labels.indexOf(label)][column === -1 ? labels.length : column] += 1
  }
  const reports = labels.map((label, i): LabelReport<L> => {
    const hits = confusion[i][i]
    const support = confusion[i].reduce((sum, count) => sum + count, 0)
    const guessed = confusion.reduce((sum, row) => sum + row[i], 0)
    const [precision, recall] = [ratio(hits, guessed), ratio(hits, support)]
    return { label, precision, recall, f1: f1Of(hits, guessed, support), support }
  })
  const hits = confusion.reduce((sum, row, i) => sum + row[i], 0)
  const guessed = guesses.filter((guess) => guess !== undefined && labels.includes(guess)).length
  const seen = reports.filter(
    (_, i) => confusion[i].some(Boolean) || confusion.some((row) => row[i]),
  )
  return {
    accuracy: ratio(hits, truth.length),
    microF1: f1Of(hits, guessed, truth.length),
    macroF1: ratio(
      seen.reduce((sum, { f1 }) => sum + f1, 0),
      seen.length,
    ),
    labels: reports,
    confusion,
  }
}
