/**
 * Sets rows of text in columns two spaces apart: numbers to the right, the rest to the left. The
 * first row is the heading and is underlined.
 *
 * @example
 * ```ts
 * import { formatTable } from "@espalier/cli"
 *
 * console.log(formatTable([["step", "perplexity"], ["dense", "3.72"]]))
 * ```
 */
export const formatTable = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  if (rows.length === 0) return ""
  const columns = Math.max(...rows.map((row) => row.length))
  const width = Array.from({ length: columns }, (_, c) =>
    Math.max(...rows.map((row) => Array.from(row[c] ?? "").length)),
  )
  const numeric = Array.from({ length: columns }, (_, c) => {
    const cells = rows.slice(1).flatMap((row) => (row[c] ? [row[c]] : []))
    return (
      cells.length > 0 &&
      cells.every((cell) => /^[-+]?[\d.,]+(e[-+]?\d+)?%?$|^[-+]?∞$|^NaN$/.test(cell))
    )
  })
  const line = (row: ReadonlyArray<string>) =>
    width
      .map((wide, c) => {
        const cell = row[c] ?? ""
        const space = " ".repeat(wide - Array.from(cell).length)
        return numeric[c] ? space + cell : cell + space
      })
      .join("  ")
      .trimEnd()
  const rule = width
    .map((wide) => "─".repeat(wide))
    .join("  ")
    .trimEnd()
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].join("\n")
}

/** A number for people: whole numbers whole, others with five significant digits. */
export const formatNumber = (value: number): string => {
  if (value === Infinity) return "∞"
  if (value === -Infinity) return "-∞"
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return String(value)
  const size = Math.abs(value)
  if (size >= 1e6 || (size > 0 && size < 1e-4)) return value.toExponential(3)
  return size >= 1e4 ? value.toFixed(0) : value.toPrecision(5)
}

/** A duration for people. */
export const formatSeconds = (seconds: number): string => {
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 99.5) return `${seconds.toFixed(0)} s`
  const minutes = Math.floor(Math.round(seconds) / 60)
  if (minutes < 60) return `${minutes} min ${Math.round(seconds) % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** A number of things: `1 step`, `3 steps`, `2 entries`. */
export const formatCount = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`

const mostReasons = 2

/** Why something runs, in a line: the first reasons, and how many more there are. */
export const formatReasons = (reasons: ReadonlyArray<string>): string => {
  const more = reasons.length - mostReasons
  return more <= 1
    ? reasons.join(", ")
    : `${reasons.slice(0, mostReasons).join(", ")}, and ${more} more`
}
