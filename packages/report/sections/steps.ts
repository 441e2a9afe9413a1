import { codeCell, metricCell, metricLabel, statusCell, textCell } from "../cells.ts"
import type { Block, Cell, Section } from "../document.ts"
import { count, formatBytes, formatSeconds } from "../format.ts"
import { isJsonObject, type JsonObject, leavesOf, toNumber } from "../json.ts"
import type { ReportRun, ReportStep } from "../report_run.ts"
import { runLetter } from "./compare.ts"

/** A group of more figures than this is not listed: charts and their tables have them. */
const mostLeaves = 64

const lineOf = (path: string, value: unknown): string => {
  const plain = typeof value === "string" && /^[^\s"'\\][^\n"\\]*$/.test(value)
  return `${path}: ${plain ? value : (JSON.stringify(value) ?? "")}`
}

/** A document as a line for each leaf: `layerError.overall: 0.0022`. */
const linesOf = (document: JsonObject): string =>
  Object.entries(document)
    .flatMap(([key, value]) => {
      const leaves = leavesOf(value, key)
      return leaves.length > mostLeaves
        ? [`${key}: ${count(leaves.length, "figure")}`]
        : leaves.map(([path, leaf]) => lineOf(path, leaf))
    })
    .join("\n")

/** The most telling metrics in a few words. */
const inShort = ({ metrics }: ReportStep): ReadonlyArray<Cell> =>
  ["perplexity", "loss", "bitsPerWeight", "sparsity", "layerError"]
    .flatMap((name) => {
      const cell = metricCell(name, metrics[name])
      return cell === undefined ? [] : [textCell(`${metricLabel(name)} ${cell.text}`)]
    })
    .slice(0, 2)

const filesOf = (files: JsonObject): ReadonlyArray<string> =>
  Object.entries(files).map(([name, file]) => {
    if (!isJsonObject(file)) return name
    const bytes = toNumber(file.bytes)
    const hash = typeof file.sha256 === "string" ? ` sha256 ${file.sha256}` : ""
    return `${name}${bytes === undefined ? "" : `, ${formatBytes(bytes)}`}${hash}`
  })

const outputsOf = (outputs: JsonObject): ReadonlyArray<string> =>
  Object.entries(outputs).map(([name, output]) => {
    if (!isJsonObject(output)) return name
    const type = typeof output.type === "string" ? `, a ${output.type}` : ""
    const hash = typeof output.sha256 === "string" ? ` sha256 ${output.sha256}` : ""
    return `${name}${type}${hash}`
  })

const detailsOf = (step: ReportStep): Block => {
  const { error, notices, configuration, metrics } = step
  const lists: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
    ["skipped", step.reason === undefined ? [] : [step.reason]],
    ["ran because", step.reasons],
    ["on the host", step.hostFallbacks],
    ["dispatches", step.dispatches === 0 ? [] : [String(step.dispatches)]],
    ["outputs", outputsOf(step.outputs)],
    ["files", filesOf(step.files)],
    ["key", step.key === undefined ? [] : [step.key]],
  ]
  const facts = lists
    .filter(([, texts]) => texts.length > 0)
    .map(([name, texts]) => {
      const make = ["outputs", "files", "key"].includes(name) ? codeCell : textCell
      return [name, texts.map(make)] as const
    })
  const code = (title: string, document: JsonObject): ReadonlyArray<Block> =>
    Object.keys(document).length === 0
      ? []
      : [
          { kind: "heading", text: title },
          { kind: "code", text: linesOf(document) },
        ]
  const note = (
    tone: "notice" | "error",
    title: string,
    lines: ReadonlyArray<string>,
  ): ReadonlyArray<Block> => (lines.length === 0 ? [] : [{ kind: "note", tone, title, lines }])
  return {
    kind: "details",
    summary: [
      textCell(step.id),
      textCell(step.use),
      statusCell(step.status),
      ...(step.status === "skipped" ? [] : [textCell(formatSeconds(step.seconds))]),
      ...inShort(step),
    ],
    blocks: [
      ...note(
        "error",
        error?.tag ?? "Error",
        error === undefined
          ? []
          : [error.message, ...(error.hint === undefined ? [] : [error.hint])],
      ),
      ...note("notice", "Notices", notices),
      ...code("Configuration", configuration),
      ...code("Measured", metrics),
      ...(facts.length === 0 ? [] : [{ kind: "facts" as const, facts }]),
    ],
  }
}

/** Every step: configuration, measurements, and what happened. */
export const stepSection = (runs: ReadonlyArray<ReportRun>): ReadonlyArray<Section> => {
  const blocks = runs.flatMap(({ steps }, i): ReadonlyArray<Block> => {
    const details = steps.map(detailsOf)
    if (runs.length === 1 || details.length === 0) return details
    const summary = [textCell(`Steps of ${runLetter(i)}`), textCell(count(steps.length, "step"))]
    return [{ kind: "details", summary, blocks: details }]
  })
  return blocks.length === 0 ? [] : [{ id: "steps", title: "Steps", blocks }]
}
