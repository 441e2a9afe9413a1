import type { Case } from "./case.ts"
import type { Measured, Outcome } from "./outcome.ts"
import type { Verdict } from "./targets.ts"

/** A time in the unit that suits it. */
export const sayTime = (nanoseconds: number): string => {
  if (nanoseconds < 1e6) return `${(nanoseconds / 1e3).toFixed(2)} µs`
  if (nanoseconds < 1e9) return `${(nanoseconds / 1e6).toFixed(2)} ms`
  return `${(nanoseconds / 1e9).toFixed(2)} s`
}

/** Work a second, such as `54.2 GFLOP/s`; nothing where the case has no such unit. */
export const sayRate = ({ work }: Case, nanoseconds: number): string => {
  if (work === undefined) return ""
  const rate = (work.amount * 1e9) / nanoseconds
  const value = rate >= 1000 ? Math.round(rate).toLocaleString("en") : rate.toPrecision(3)
  return `${value} ${work.unit === "token" ? "tokens" : work.unit}/s`
}

export const sayMemory = (bytes: number): string =>
  bytes === 0 ? "" : `${Math.round(bytes / 2 ** 20)} MiB`

/** A rate; without kernels, what the host does for each piece of work. */
const rateOf = (each: Case, { contestant, time }: Measured): string =>
  contestant.hostOnly === true && each.work !== undefined
    ? `${sayTime(time.median / each.work.amount)} a ${each.work.unit}`
    : sayRate(each, time.median)

/** The cells of one contestant: title, median, smallest to largest, rate, peak memory. */
export const cellsOf = (each: Case, outcome: Outcome): ReadonlyArray<string> => {
  const { title } = outcome.contestant
  if (outcome.state !== "measured") return [title, `${outcome.state}: ${outcome.why}`]
  const { median, minimum, maximum } = outcome.time
  return [
    title,
    sayTime(median),
    `${sayTime(minimum)} – ${sayTime(maximum)}`,
    rateOf(each, outcome),
    sayMemory(outcome.peakBytes),
  ]
}

const widths = [36, 12, 26, 18, 10]

/** One case for the terminal, with verdicts where its sizes are those of the targets. */
export const consoleTable = (
  each: Case,
  outcomes: ReadonlyArray<Outcome>,
  verdicts: ReadonlyArray<Verdict>,
): string => {
  const rows = outcomes.map((outcome) => {
    const cells = cellsOf(each, outcome)
    return `  ${cells
      .map((cell, i) => cell.padEnd(widths[i]))
      .join("")
      .trimEnd()}`
  })
  const judged = verdicts.map(({ target, measured, met }) => {
    const mark = met === undefined ? "?" : met ? "met" : "MISSED"
    return `  ${mark.padEnd(8)}${target}: ${measured}`
  })
  return [`${each.name}: ${each.title}`, ...rows, ...judged, ""].join("\n")
}
