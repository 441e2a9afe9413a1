import {
  bootstrapInterval,
  brierScore,
  classificationReport,
  expectedCalibrationError,
  type Interval,
  mean,
  pairedBootstrap,
  reliabilityBins,
} from "@espalier/evaluation"
import { type Item, type Label, labels, scoreAnswer } from "@espalier/misinformation"
import type { Judgement } from "../artifacts/fmd.ts"

/** What figures are computed from: one item, judged. */
interface Judged {
  readonly truth: Label
  readonly label: Label | undefined
  readonly rouge1: number
  readonly rouge2: number
  readonly rougeL: number
}

const judge = (items: ReadonlyArray<Item>, verdicts: ReadonlyArray<Judgement>) =>
  items.map((item, i): Judged => {
    const { label, explanation } = verdicts[i]
    const { rouge1, rouge2, rougeL } = scoreAnswer({ label, explanation }, item)
    return { truth: item.label, label, rouge1, rouge2, rougeL }
  })

const meanOf = (key: "rouge1" | "rouge2" | "rougeL") => (judged: ReadonlyArray<Judged>) =>
  mean(judged.map((each) => each[key]))

const reportOf = (judged: ReadonlyArray<Judged>) =>
  classificationReport(
    labels,
    judged.map(({ truth }) => truth),
    judged.map(({ label }) => label),
  )

const microF1 = (judged: ReadonlyArray<Judged>) =>
  mean(judged.map(({ truth, label }) => (truth === label ? 1 : 0)))

const statistics = {
  microF1,
  macroF1: (judged: ReadonlyArray<Judged>) => reportOf(judged).macroF1,
  rouge1: meanOf("rouge1"),
  rouge2: meanOf("rouge2"),
  rougeL: meanOf("rougeL"),
  overall: (judged: ReadonlyArray<Judged>) => (microF1(judged) + meanOf("rouge1")(judged)) / 2,
}

const figureOf = ({ estimate, low, high }: Interval) => ({ overall: estimate, low, high })

const inWords = ({ low, high }: Interval) => `${low.toFixed(3)} to ${high.toFixed(3)}`

/** Each statistic with its interval, as a figure and in words. */
const figuresOf = (intervalOf: (statistic: (typeof statistics)["microF1"]) => Interval) =>
  Object.fromEntries(
    Object.entries(statistics).flatMap(([name, statistic]): ReadonlyArray<[string, unknown]> => {
      const interval = intervalOf(statistic)
      return [
        [name, figureOf(interval)],
        [`${name} 95 %`, inWords(interval)],
      ]
    }),
  )

/** How far probabilities are what they say, where all verdicts have some. */
const calibrationOf = (items: ReadonlyArray<Item>, verdicts: ReadonlyArray<Judgement>) => {
  const probabilities = verdicts.flatMap((verdict) =>
    verdict.probabilities === undefined ? [] : [verdict.probabilities],
  )
  if (probabilities.length < verdicts.length) return {}
  const truth = items.map(({ label }) => labels.indexOf(label))
  return {
    calibrationError: expectedCalibrationError(probabilities, truth),
    brier: brierScore(probabilities, truth),
    reliability: reliabilityBins(probabilities, truth),
  }
}

/** The figures of verdicts, with 95 % intervals, a report per label, and calibration. */
export const evaluateVerdicts = (
  items: ReadonlyArray<Item>,
  verdicts: ReadonlyArray<Judgement>,
  options: { readonly resamples: number; readonly seed: number },
) => {
  const judged = judge(items, verdicts)
  const { labels: perLabel, confusion, accuracy } = reportOf(judged)
  const words = verdicts.map(({ explanation }) => explanation.match(/\S+/g)?.length ?? 0)
  return {
    ...figuresOf((statistic) => bootstrapInterval(judged, statistic, options)),
    accuracy,
    items: items.length,
    unparsable: verdicts.filter(({ label }) => label === undefined).length,
    words: mean(words),
    labels: Object.fromEntries(perLabel.map(({ label, ...figures }) => [label, figures])),
    confusion: Object.fromEntries(
      labels.map((label, i) => [
        label,
        Object.fromEntries([...labels, "none"].map((guess, j) => [guess, confusion[i][j]])),
      ]),
    ),
    ...calibrationOf(items, verdicts),
  }
}

/** Verdicts on the same items again and again, each time by detectors of another partition. */
export type Repeats = ReadonlyArray<ReadonlyArray<Judgement>>

/**
 * How much better the first verdicts are than the second on the same items, with 95 % intervals. Where
 * items were judged several times, an item is drawn with all of its verdicts.
 */
export const compareVerdicts = (
  items: ReadonlyArray<Item>,
  verdicts: Repeats,
  baseline: Repeats,
  options: { readonly resamples: number; readonly seed: number },
) => {
  const byItem = (repeats: Repeats) => {
    const judged = repeats.map((each) => judge(items, each))
    return items.map((_, i) => judged.map((each) => each[i]))
  }
  const [mine, theirs] = [byItem(verdicts), byItem(baseline)]
  return figuresOf((statistic) =>
    pairedBootstrap(mine, theirs, (drawn) => statistic(drawn.flat()), options),
  )
}
