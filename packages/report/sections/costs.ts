import { numberCell, statusCell, textCell } from "../cells.ts"
import type { BarChart } from "../charts/chart.ts"
import { type Block, type Cell, plainTable, type Section } from "../document.ts"
import { formatMebibytes, formatSeconds } from "../format.ts"
import type { ReportRun, ReportStep } from "../report_run.ts"
import { runLetter } from "./compare.ts"

const mostBars = 16

/** Seconds that a step's result took: of a cached one, when it was computed. */
const secondsOf = (step: ReportStep): number =>
  step.status === "cached" ? (step.computedSeconds ?? step.seconds) : step.seconds

const barChart = (
  title: string,
  runs: ReadonlyArray<ReportRun>,
  valueOf: (step: ReportStep) => number,
  format: (value: number) => string,
): ReadonlyArray<Block> => {
  const bars = runs
    .flatMap((run, series) =>
      run.steps.map((step) => ({
        name: runs.length > 1 ? `${runLetter(series)}: ${step.id}` : step.id,
        value: valueOf(step),
        text: format(valueOf(step)),
        series,
      })),
    )
    .filter(({ value }) => Number.isFinite(value) && value > 0)
    .sort((a, b) => b.value - a.value)
  if (bars.length === 0) return []
  const rest = bars.length - mostBars
  const chart: BarChart = {
    kind: "bars",
    title: rest > 0 ? `${title}, the ${mostBars} largest of ${bars.length}` : title,
    bars: bars.slice(0, mostBars),
    series: runs.length > 1 ? runs.map((_, i) => runLetter(i)) : [],
  }
  return [{ kind: "chart", chart }]
}

const tableOf = (run: ReportRun, i: number, several: boolean): Block => {
  const rows = run.steps.map((step): readonly [string, ReadonlyArray<Cell>] => [
    step.id,
    [
      textCell(step.use),
      statusCell(step.status),
      numberCell(step.seconds, formatSeconds),
      numberCell(secondsOf(step), formatSeconds),
      numberCell(step.peakMemory, formatMebibytes),
    ],
  ])
  const caption = several ? `steps of ${runLetter(i)}` : "steps"
  const columns = ["use", "status", "in this run", "when computed", "peak memory"]
  return plainTable(caption, "step", columns, rows)
}

/** What each step took. */
export const costSection = (runs: ReadonlyArray<ReportRun>): ReadonlyArray<Section> => {
  const charts = [
    ...barChart("Time per step, when it was computed", runs, secondsOf, formatSeconds),
    ...barChart("Peak memory per step", runs, (step) => step.peakMemory ?? 0, formatMebibytes),
  ]
  if (charts.length === 0) return []
  const tables = runs.map((run, i) => tableOf(run, i, runs.length > 1))
  const figures = { kind: "details", summary: [{ text: "All steps" }], blocks: tables } as const
  return [{ id: "costs", title: "Time and memory", blocks: [...charts, figures] }]
}
