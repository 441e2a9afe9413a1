import { numberCell } from "../cells.ts"
import type { PointChart } from "../charts/chart.ts"
import { type Block, plainTable, type Section } from "../document.ts"
import { formatNumber, formatTick } from "../format.ts"
import { isJsonObject, toNumber } from "../json.ts"
import type { ReportRun } from "../report_run.ts"
import { runLetter } from "./compare.ts"

interface Curve {
  readonly name: string
  /** By training step. */
  readonly points: ReadonlyArray<{ readonly x: number; readonly y: number }>
}

const curvesOf = (runs: ReadonlyArray<ReportRun>, metric: string): ReadonlyArray<Curve> =>
  runs.flatMap(({ steps }, run) =>
    steps.flatMap(({ id, metrics }) => {
      const values = metrics[metric]
      if (!isJsonObject(values)) return []
      const points = Object.entries(values)
        .map(([step, value]) => ({ x: Number(step), y: toNumber(value) ?? Number.NaN }))
        .filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))
      const name = runs.length > 1 ? `${runLetter(run)}: ${id}` : id
      return points.length < 2 ? [] : [{ name, points }]
    }),
  )

const mostRows = 20

/** More points than a page has pixels for are not drawn. */
const mostPoints = 800

/** So many of many, at equal distances, the first and the last among them. */
const some = <A>(values: ReadonlyArray<A>, most: number): ReadonlyArray<A> => {
  if (values.length <= most) return values
  const stride = (values.length - 1) / (most - 1)
  return Array.from({ length: most }, (_, i) => values[Math.round(i * stride)])
}

const curveBlocks = (
  runs: ReadonlyArray<ReportRun>,
  metric: string,
  what: string,
): ReadonlyArray<Block> => {
  const curves = curvesOf(runs, metric)
  if (curves.length === 0) return []
  const title = `${what} during training`
  const chart: PointChart = {
    kind: "points",
    title,
    x: { title: "training step", format: formatTick },
    y: { title: what.toLowerCase(), format: formatTick },
    series: curves.map(({ name, points }) => ({
      name,
      points: some(points, mostPoints),
      joined: true,
    })),
    levels: [],
  }
  const steps = [...new Set(curves.flatMap(({ points }) => points.map(({ x }) => x)))]
  const rows = some(
    steps.sort((a, b) => a - b),
    mostRows,
  )
  const caption =
    rows.length < steps.length
      ? `${title.toLowerCase()}, ${rows.length} of ${steps.length} training steps`
      : title.toLowerCase()
  const table = plainTable(
    caption,
    "training step",
    curves.map(({ name }) => name),
    rows.map((step) => [
      formatNumber(step),
      curves.map(({ points }) => numberCell(points.find(({ x }) => x === step)?.y)),
    ]),
  )
  return [
    { kind: "chart", chart },
    { kind: "details", summary: [{ text: "The figures" }], blocks: [table] },
  ]
}

/** How loss and perplexity went down. */
export const trainingSection = (runs: ReadonlyArray<ReportRun>): ReadonlyArray<Section> => {
  const blocks = [
    ...curveBlocks(runs, "evaluations", "Perplexity"),
    ...curveBlocks(runs, "losses", "Loss"),
  ]
  return blocks.length === 0 ? [] : [{ id: "training", title: "Training", blocks }]
}
