import { isJsonObject, type Json, type JsonObject, type RunRecord } from "@espalier/pipeline"
import { formatNumber, formatTable } from "./table.ts"

/** The text of a metric: scalars, and of a group of figures its `overall`. */
const formatMetric = (value: Json | undefined): string | undefined => {
  if (typeof value === "number") return formatNumber(value)
  if (value === "Infinity") return "∞"
  if (value === "-Infinity") return "-∞"
  if (typeof value === "string") return value.length <= 24 ? value : undefined
  if (typeof value === "boolean") return value ? "yes" : "no"
  return isJsonObject(value) && "overall" in value ? formatMetric(value.overall) : undefined
}

/** What a person looks for first. */
const telling = ["perplexity", "floor", "loss", "sparsity"]
const most = 4

/** `perplexity 4.8265, tokens 33024`: the most telling metrics of a step. */
const metricsInShort = (metrics: JsonObject): string => {
  const rank = (name: string) => (telling.includes(name) ? telling.indexOf(name) : telling.length)
  return Object.keys(metrics)
    .toSorted((a, b) => rank(a) - rank(b))
    .flatMap((name) => {
      const text = formatMetric(metrics[name])
      return text === undefined ? [] : [`${name} ${text}`]
    })
    .slice(0, most)
    .join(", ")
}

/** The tables that steps made: `metrics.table` maps rows to columns to figures. */
const stepTable = (table: JsonObject): string => {
  const rows = Object.entries(table).map(([name, row]): [string, JsonObject] => [
    name,
    isJsonObject(row) ? row : {},
  ])
  const columns = [...new Set(rows.flatMap(([, row]) => Object.keys(row)))]
  return formatTable([
    ["", ...columns],
    ...rows.map(([name, row]) => [
      name,
      ...columns.map((column) => formatMetric(row[column]) ?? ""),
    ]),
  ])
}

/** `webgpu, llvmpipe (LLVM 19, 256 bits) · vulkan (software adapter)`. */
const deviceInWords = ({ kind, adapter, software }: RunRecord["device"]): string =>
  `${kind}, ${adapter}${kind === "webgpu" && software ? " (software adapter)" : ""}`

/**
 * A run for people: a line a step with its most telling metrics, then the tables that steps made, and
 * the device.
 */
export const resultText = (record: RunRecord): string => {
  const steps = Object.entries(record.steps)
  const list = formatTable([
    ["step", "status", "seconds", "measured"],
    ...steps.map(([id, step]) => [
      id,
      step.status,
      step.seconds.toFixed(1),
      step.status === "skipped" || step.status === "failed"
        ? (step.reason ?? step.error?.message.split("\n")[0] ?? "")
        : metricsInShort(step.metrics),
    ]),
  ])
  const tables = steps.flatMap(([id, { metrics }]) =>
    isJsonObject(metrics.table) ? [`${id}\n\n${stepTable(metrics.table)}`] : [],
  )
  return [list, ...tables, `device: ${deviceInWords(record.device)}`].join("\n\n")
}
