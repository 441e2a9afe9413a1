/** The day of the calendar before a date; what is no date stays as it is. */
export const dayBefore = (date: string): string => {
  const time = Date.parse(`${date}T00:00:00Z`)
  return Number.isNaN(time) ? date : new Date(time - 86_400_000).toISOString().slice(0, 10)
}
