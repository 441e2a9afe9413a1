import type { Json, RunRecord } from "@espalier/pipeline"
import { formatNumber, formatTable } from "./table.ts"

/** The cell of a metric: scalars, and of a group of figures its `overall`. */
const cell = (value: Json | undefined): string | undefined => {
  if (typeof value === "number") return formatNumber(value)
  if (value === "Infinity") return "∞"
  if (value === "-Infinity") return "-∞"
  if (typeof value === "string") return value.length <= 24 ? value : undefined
  if (typeof value === "boolean") return value ? "yes" : "no"
  if (value === null || value === undefined || Array.isArray(value)) return undefined
  return "overall" in value ? cell(value.overall) : undefined
}

/** The steps of a run against what they measured, in columns. */
export const resultTable = (record: RunRecord): string => {
  const steps = Object.entries(record.steps)
  const metrics = [
    ...new Set(
      steps.flatMap(([, step]) =>
        Object.entries(step.metrics).flatMap(([name, value]) =>
          cell(value) === undefined ? [] : [name],
        ),
      ),
    ),
  ]
  return formatTable([
    ["step", "use", "status", "seconds", ...metrics],
    ...steps.map(([id, step]) => [
      id,
      step.use,
      step.status,
      step.seconds.toFixed(1),
      ...metrics.map((name) => cell(step.metrics[name]) ?? ""),
    ]),
  ])
}
