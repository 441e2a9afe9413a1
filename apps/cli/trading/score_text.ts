import type { ChallengeMetrics, Score } from "@espalier/trading"
import { formatNumber, formatTable } from "../command_line/table.ts"

/** What a score is of. */
export interface ScoredAgent {
  readonly agent: string
  readonly daysPerYear: number
  readonly actions: Readonly<Record<string, number>>
}

/** A score as the one document that `--json` prints. */
export const scoreDocument = (score: Score, about: ScoredAgent) => {
  const { challenge, standard, days, from, to, fill, other, overBuyAndHold, gaps } = score
  const beside = { [other.fill]: { challenge: other.challenge, standard: other.standard } }
  return { challenge, standard, days, ...about, from, to, fill, ...beside, overBuyAndHold, gaps }
}

// What is left of a difference of equal numbers is not a figure.
const rounding = 1e-12

const figure = (value: number | null) =>
  value === null ? "–" : formatNumber(Math.abs(value) < rounding ? 0 : value)

const challengeRow = (name: string, metrics: ChallengeMetrics) => [
  name,
  ...[metrics.cumulativeReturn, metrics.sharpe, metrics.annualVolatility, metrics.maxDrawdown].map(
    figure,
  ),
]

/** How far figures of some months may be believed. */
export const littleProven = (days: number): string =>
  `${days} days of one asset prove little: the intervals say how little. Nothing was traded.`

/** A score for people. */
export const scoreText = (score: Score, { agent, actions }: ScoredAgent): string => {
  const { challenge, standard, days, from, to, fill, other, overBuyAndHold } = score
  const interval = (ends: readonly [number, number] | null) =>
    ends === null ? "–" : `${figure(ends[0])} … ${figure(ends[1])}`
  const { intervals, ...figures } = standard
  const taken = Object.entries(actions).map(([action, count]) => `${count} ${action}`)
  return [
    `${agent}, ${from} … ${to}, ${days} days: ${taken.join(", ")}`,
    formatTable([
      ["challenge", "cumulative return (log)", "Sharpe", "annual volatility", "max drawdown"],
      challengeRow(`filled at ${fill}`, challenge),
      challengeRow(`filled at ${other.fill}`, other.challenge),
    ]),
    formatTable([
      ["standard", "", "95 % interval"],
      ...Object.entries(figures).map(([name, value]) => [
        name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`),
        figure(value),
        name === "totalReturn"
          ? interval(intervals.totalReturn)
          : name === "sharpe"
            ? interval(intervals.sharpe)
            : "",
      ]),
      ["over buy and hold", figure(overBuyAndHold.totalReturn), interval(overBuyAndHold.interval)],
    ]),
    littleProven(days),
  ].join("\n\n")
}
