import { numberCell } from "../cells.ts"
import type { HeatChart } from "../charts/chart.ts"
import { plainTable, type Section } from "../document.ts"
import { isJsonObject, type JsonObject, toNumber } from "../json.ts"
import type { ReportRun } from "../report_run.ts"
import { namesOf, runLetter } from "./compare.ts"

/** More columns than this cannot be told apart. */
const mostColumns = 48

/** The relative error that each method leaves in each layer. */
export const layerErrorSection = (runs: ReadonlyArray<ReportRun>): ReadonlyArray<Section> => {
  const all = runs.flatMap(({ steps }, run) =>
    steps.flatMap(({ id, metrics }): ReadonlyArray<readonly [string, JsonObject]> => {
      const layers = isJsonObject(metrics.layerError) ? metrics.layerError.layers : undefined
      const name = runs.length > 1 ? `${runLetter(run)}: ${id}` : id
      return isJsonObject(layers) ? [[name, layers]] : []
    }),
  )
  const columns = all.slice(0, mostColumns)
  const rows = namesOf(columns.map(([, layers]) => layers))
  const cells = rows.map((row) =>
    columns.map(([, layers]) => {
      const error = toNumber(layers[row])
      return error !== undefined && Number.isFinite(error) ? error : undefined
    }),
  )
  if (cells.flat().every((error) => error === undefined)) return []
  const which = all.length > mostColumns ? `, the first ${mostColumns} of ${all.length} steps` : ""
  const title = `Relative error of each layer's output${which}`
  const names = columns.map(([name]) => name)
  const chart: HeatChart = { kind: "heat", title, rows, columns: names, cells }
  const table = plainTable(
    title.toLowerCase(),
    "layer",
    names,
    rows.map((row, i) => [row, cells[i].map((error) => numberCell(error))]),
  )
  const figures = { kind: "details", summary: [{ text: "The figures" }], blocks: [table] } as const
  return [
    {
      id: "layer-error",
      title: "Layer-wise error",
      blocks: [{ kind: "chart", chart }, figures],
    },
  ]
}
