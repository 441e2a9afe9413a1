import type { Block, Section } from "../document.ts"
import { count } from "../format.ts"
import type { JsonObject } from "../json.ts"
import type { ReportRun } from "../report_run.ts"
import { collectRows, compareTable } from "./compare.ts"

/** All scalar metrics: a table for each kind of step, with a row for each step. */
export const measurementSection = (runs: ReadonlyArray<ReportRun>): ReadonlyArray<Section> => {
  const kinds = new Map<string, Array<{ heading: string; run: number; values: JsonObject }>>()
  for (const [run, { steps }] of runs.entries()) {
    for (const { id, use, metrics } of steps) {
      if (Object.keys(metrics).length === 0) continue
      kinds.set(use, [...(kinds.get(use) ?? []), { heading: id, run, values: metrics }])
    }
  }
  const blocks = [...kinds].flatMap(([use, parts]): ReadonlyArray<Block> => {
    const rows = collectRows(parts)
    const tables = compareTable({ caption: use, heading: "step", rows, several: runs.length > 1 })
    const summary = [{ text: use }, { text: count(rows.length, "step") }]
    return tables.length === 0 ? [] : [{ kind: "details", summary, blocks: tables }]
  })
  return blocks.length === 0 ? [] : [{ id: "measurements", title: "All measurements", blocks }]
}
