const pattern = /^(\d{4})-(\d{2})-(\d{2})$/

const millisecondsPerDay = 86_400_000

/**
 * Whether a text is a day of the calendar as `YYYY-MM-DD`: 2023-02-30 is none.
 *
 * @example
 * ```ts
 * import { isCalendarDate } from "@espalier/trading"
 * console.log(isCalendarDate("2024-02-29"), isCalendarDate("2023-02-30")) // true false
 * ```
 */
export const isCalendarDate = (text: string): boolean => {
  const [, year, month, day] = pattern.exec(text)?.map(Number) ?? []
  if (year === undefined || month < 1 || month > 12) return false
  // The day before the first of the next month.
  return day >= 1 && day <= new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate()
}

/** The number of a day, counted from 1970-01-01. */
export const dayNumber = (date: string): number =>
  Date.parse(`${date}T00:00:00Z`) / millisecondsPerDay

/**
 * How many days of the calendar lie between two dates.
 *
 * @example
 * ```ts
 * import { daysBetween } from "@espalier/trading"
 * console.log(daysBetween("2023-02-27", "2023-03-01")) // 2
 * ```
 */
export const daysBetween = (from: string, to: string): number => dayNumber(to) - dayNumber(from)
