import { DateTime, Effect } from "effect"

/** Two characters for a number below 1296. */
const twoLetters = (value: number): string => value.toString(36).padStart(2, "0")

/** A new name. Names sort by the time of their beginning, to the millisecond; the last two letters tell apart. */
export const newRunName = Effect.map(DateTime.now, (now) => {
  const [date, milliseconds] = DateTime.formatIso(now).replace("Z", "").split(".")
  const [random] = crypto.getRandomValues(new Uint16Array(1))
  const suffix = twoLetters(Number(milliseconds ?? 0)) + twoLetters(random % 1296)
  return `${date.replace(/[-:]/g, "").replace("T", "-")}-${suffix}`
})
