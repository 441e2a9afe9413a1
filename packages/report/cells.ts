import type { Cell } from "./document.ts"
import { formatMebibytes, formatNumber, formatSeconds } from "./format.ts"
import { toFigure } from "./json.ts"

export const emptyCell: Cell = { text: "" }

export const textCell = (text: string): Cell => ({ text })

export const codeCell = (text: string): Cell => ({ text, style: "code" })

export const statusCell = (status: string): Cell => ({ text: status, style: "status" })

export const numberCell = (value: number | undefined, format = formatNumber): Cell =>
  value === undefined ? emptyCell : { text: format(value), style: "number" }

/** What a metric is called for people; others are called as the steps call them. */
const labels: Readonly<Record<string, string>> = {
  perplexity: "perplexity",
  bitsPerWeight: "bits per weight",
  layerError: "layer error",
  peakMemory: "peak memory",
  trainedShare: "trained share",
  trainTokens: "training tokens",
  deadInputs: "dead inputs",
  bestStep: "best step",
  seconds: "time",
}

/** A metric's name for people: `bits per weight`. */
export const metricLabel = (name: string): string => labels[name] ?? name

/** What a metric of this name is measured in decides how it is written. */
export const metricFormat = (name: string): ((value: number) => string) => {
  if (name === "seconds") return formatSeconds
  return name === "peakMemory" ? formatMebibytes : formatNumber
}

const longest = 60

/** A metric that fits into a cell: a figure, a word, the overall figure of a group. */
export const metricCell = (name: string, value: unknown): Cell | undefined => {
  const figure = toFigure(value)
  if (figure !== undefined) return numberCell(figure, metricFormat(name))
  if (typeof value === "boolean") return textCell(value ? "yes" : "no")
  if (typeof value === "string" && value.length <= longest) return textCell(value)
  return undefined
}
