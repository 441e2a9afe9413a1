import { metricLabel } from "../cells.ts"
import type { Block, Section } from "../document.ts"
import { isJsonObject, type JsonObject } from "../json.ts"
import type { ReportRun } from "../report_run.ts"
import { parseStepId } from "../step_id.ts"
import { collectRows, compareTable } from "./compare.ts"

/** The tables that a pipeline's author asked for: `metrics.table` maps rows to columns to figures. */
const authorTables = (runs: ReadonlyArray<ReportRun>): ReadonlyArray<Block> => {
  const tables = new Map<string, Array<{ heading: string; run: number; values: JsonObject }>>()
  for (const [run, { steps }] of runs.entries()) {
    for (const { id, metrics } of steps) {
      if (!isJsonObject(metrics.table)) continue
      const rows = Object.entries(metrics.table).flatMap(([heading, values]) =>
        isJsonObject(values) ? [{ heading, run, values }] : [],
      )
      tables.set(id, [...(tables.get(id) ?? []), ...rows])
    }
  }
  const several = runs.length > 1
  return [...tables].flatMap(([caption, parts]) =>
    compareTable({ caption, heading: "", rows: collectRows(parts), several }),
  )
}

/** Metrics that say what a step cost, not what came out. */
const costs = new Set(["seconds", "peakMemory"])

/** One row for each combination of a sweep, with what all its steps measured. */
const sweepTables = (runs: ReadonlyArray<ReportRun>): ReadonlyArray<Block> => {
  const sweeps = new Map<
    string,
    Map<string, { heading: string; run: number; values: JsonObject }>
  >()
  for (const [run, { steps }] of runs.entries()) {
    for (const { id, metrics } of steps) {
      const { base, variables } = parseStepId(id)
      if (variables.length === 0) continue
      const fields = variables.map(([field]) => field).join(", ")
      const heading = variables.map(([field, value]) => `${field} = ${value}`).join(", ")
      const rows = sweeps.get(fields) ?? new Map()
      sweeps.set(fields, rows)
      const key = `${run} ${heading}`
      const measured = Object.entries(metrics)
        .filter(([name]) => !costs.has(name))
        .map(([name, value]) => [`${base}: ${name}`, value])
      const values = { ...rows.get(key)?.values, ...Object.fromEntries(measured) }
      rows.set(key, { heading, run, values })
    }
  }
  const several = runs.length > 1
  return [...sweeps].flatMap(([fields, parts]) =>
    compareTable({
      caption: `sweep over ${fields}`,
      heading: "combination",
      rows: collectRows(parts.values()),
      several,
      label: (column) => column.replace(/[^ ]+$/, metricLabel),
    }),
  )
}

/** The results in tables: those that the pipeline's author chose first. */
export const summarySection = (runs: ReadonlyArray<ReportRun>): ReadonlyArray<Section> => {
  const blocks = [...authorTables(runs), ...sweepTables(runs)]
  return blocks.length === 0 ? [] : [{ id: "summary", title: "Summary", blocks }]
}
