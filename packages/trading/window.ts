import { Result } from "effect"
import { isCalendarDate } from "./calendar_date.ts"
import { InvalidWindow } from "./errors.ts"
import type { PriceSeries } from "./price_series.ts"

/** A stretch of days, both ends included. */
export interface Window {
  /** `YYYY-MM-DD`. */
  readonly from: string
  readonly to: string
}

/** The assets of the challenge. */
export type ChallengeAsset = "btc" | "eth"

/**
 * The windows of the single-cryptocurrency trading challenge (COLING 2025), and the end of the longer
 * test windows that its data allow.
 */
export const challengeWindows: Readonly<
  Record<ChallengeAsset, { readonly warmUp: Window; readonly test: Window; readonly long: Window }>
> = {
  btc: {
    warmUp: { from: "2023-02-11", to: "2023-04-04" },
    test: { from: "2023-04-05", to: "2023-11-05" },
    long: { from: "2023-04-05", to: "2023-12-19" },
  },
  eth: {
    warmUp: { from: "2023-02-13", to: "2023-04-02" },
    test: { from: "2023-04-03", to: "2023-11-05" },
    long: { from: "2023-04-03", to: "2023-12-19" },
  },
}

/** The days of a series that a window has. */
export interface WindowDays {
  /** Index of the first in the series. */
  readonly first: number
  /** How many there are, at least 2. */
  readonly count: number
  /** Whether the series ends before the window does, or begins after it. */
  readonly cut: boolean
}

/**
 * Finds the days of a window. Its ends need no entry of their own. A window that reaches beyond the data
 * is cut, and says so; one without two prices is an {@link InvalidWindow}.
 */
export const findWindow = (
  { path, days }: PriceSeries,
  { from, to }: Window,
): Result.Result<WindowDays, InvalidWindow> => {
  const first = days[0].date
  const last = days[days.length - 1].date
  const fail = (detail: string, hint: string) =>
    Result.fail(new InvalidWindow({ path, from, to, detail, hint }))
  for (const date of [from, to]) {
    if (!isCalendarDate(date))
      return fail(`is none: ${date} is no day of the calendar`, "write YYYY-MM-DD")
  }
  if (from > to) return fail("ends before it begins", "swap its ends")
  const range = `the prices are from ${first} to ${last}`
  if (to < first || from > last) return fail("lies outside the data", range)
  const start = days.findIndex(({ date }) => date >= from)
  const count = days.filter(({ date }) => date >= from && date <= to).length
  if (count < 2) {
    const found = count === 0 ? "no price" : `one price, of ${days[start].date}`
    return fail(`has ${found}`, `a return needs two prices; ${range}`)
  }
  return Result.succeed({ first: start, count, cut: from < first || to > last })
}
