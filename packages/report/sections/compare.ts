import { metricCell, metricLabel } from "../cells.ts"
import type { Block, Cell } from "../document.ts"
import { formatChange } from "../format.ts"
import { type JsonObject, toFigure } from "../json.ts"

/** Runs are called A, B, C … in a report of several. */
export const runLetter = (i: number): string =>
  i < 26 ? String.fromCharCode(65 + i) : `${runLetter(Math.floor(i / 26) - 1)}${runLetter(i % 26)}`

/** What was measured for one thing, by run. */
export interface ComparedRow {
  readonly heading: string
  readonly runs: ReadonlyArray<{ readonly run: number; readonly values: JsonObject }>
}

const withChange = (cell: Cell, value: unknown, first: unknown): Cell => {
  const from = toFigure(first)
  const to = toFigure(value)
  if (from === undefined || to === undefined) {
    return first === undefined || value === first ? cell : { ...cell, change: "≠" }
  }
  if (Object.is(from, to)) return cell
  return { ...cell, change: formatChange(from, to) ?? "≠" }
}

/** The names in rows, in the order in which they are first seen. */
export const namesOf = (rows: ReadonlyArray<JsonObject>): ReadonlyArray<string> => [
  ...new Set(rows.flatMap((row) => Object.keys(row))),
]

/**
 * A table of measurements. With several runs, each row of one becomes a group with a row for each run,
 * and what differs from the group's first run says by how much.
 */
export const compareTable = (options: {
  readonly caption: string
  readonly heading: string
  readonly rows: ReadonlyArray<ComparedRow>
  readonly several: boolean
  readonly label?: (column: string) => string
}): ReadonlyArray<Block> => {
  const { caption, heading, rows, several, label = metricLabel } = options
  const documents = rows.flatMap(({ runs }) => runs.map(({ values }) => values))
  const columns = namesOf(documents).filter((name) =>
    documents.some((values) => metricCell(name, values[name]) !== undefined),
  )
  if (rows.length === 0 || columns.length === 0) return []
  const numeric = new Set(
    columns.filter((name) => documents.some((values) => toFigure(values[name]) !== undefined)),
  )
  const missing = (name: string): Cell =>
    numeric.has(name) ? { text: "–", style: "number" } : { text: "–" }
  const groups = rows.map(({ heading, runs }) => ({
    heading,
    rows: runs.map(({ run, values }) => ({
      heading: several ? runLetter(run) : heading,
      cells: columns.map((name) => {
        const cell = metricCell(name, values[name]) ?? missing(name)
        return values === runs[0].values
          ? cell
          : withChange(cell, values[name], runs[0].values[name])
      }),
    })),
  }))
  const table = {
    caption,
    headings: several ? [heading, "run"] : [heading],
    columns: columns.map((name) => ({ label: label(name), numeric: numeric.has(name) })),
    groups: several ? groups : [{ rows: groups.flatMap((group) => group.rows) }],
  }
  return [{ kind: "table", table }]
}

/** Collects rows by heading over the runs, in the order in which they are first seen. */
export const collectRows = (
  parts: Iterable<{ readonly heading: string; readonly run: number; readonly values: JsonObject }>,
): ReadonlyArray<ComparedRow> => {
  const rows = new Map<string, Array<{ run: number; values: JsonObject }>>()
  for (const { heading, run, values } of parts) {
    rows.set(heading, [...(rows.get(heading) ?? []), { run, values }])
  }
  return [...rows].map(([heading, runs]) => ({ heading, runs }))
}
