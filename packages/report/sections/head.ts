import { codeCell, emptyCell, numberCell, statusCell, textCell } from "../cells.ts"
import { type Block, type Cell, plainTable } from "../document.ts"
import { count, formatSeconds, formatTime } from "../format.ts"
import type { ReportRun } from "../report_run.ts"
import { runLetter } from "./compare.ts"

const secondsOf = ({ started, finished }: ReportRun): number | undefined => {
  const seconds = (Date.parse(finished ?? "") - Date.parse(started ?? "")) / 1000
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined
}

const deviceOf = ({ device }: ReportRun): string => {
  if (device === undefined) return ""
  const { kind, adapter, software } = device
  const words = adapter === undefined ? kind : `${kind}, ${adapter}`
  return kind === "webgpu" && software ? `${words} (software adapter)` : words
}

/** `75: 74 from the cache, 1 computed`. */
const stepsOf = ({ steps }: ReportRun): string => {
  const words = [
    ["done", "computed"],
    ["cached", "from the cache"],
    ["failed", "failed"],
    ["skipped", "skipped"],
  ] as const
  const parts = words.flatMap(([status, word]) => {
    const amount = steps.filter((step) => step.status === status).length
    return amount === 0 ? [] : [`${amount} ${word}`]
  })
  return parts.length === 0 ? String(steps.length) : parts.join(", ")
}

const factsOf = (run: ReportRun): Block => {
  const seconds = secondsOf(run)
  const facts: ReadonlyArray<readonly [string, ReadonlyArray<Cell>]> = [
    ["status", [statusCell(run.status)]],
    ["run", [codeCell(run.run)]],
    ["steps", [textCell(stepsOf(run))]],
    ["started", run.started === undefined ? [] : [textCell(formatTime(run.started))]],
    ["took", seconds === undefined ? [] : [textCell(formatSeconds(seconds))]],
    ["device", run.device === undefined ? [] : [textCell(deviceOf(run))]],
    ["seed", run.seed === undefined ? [] : [textCell(String(run.seed))]],
    ["file", run.file === undefined ? [] : [codeCell(run.file)]],
  ]
  return { kind: "facts", facts: facts.filter(([, cells]) => cells.length > 0) }
}

/** What the runs are: which pipeline, when, where, and how it went. */
export const headBlocks = (runs: ReadonlyArray<ReportRun>): ReadonlyArray<Block> => {
  if (runs.length === 1) return [factsOf(runs[0])]
  const columns = ["pipeline", "run", "status", "steps", "started", "took", "device", "seed"]
  const rows = runs.map((run, i): readonly [string, ReadonlyArray<Cell>] => [
    runLetter(i),
    [
      textCell(run.name),
      codeCell(run.run),
      statusCell(run.status),
      textCell(stepsOf(run)),
      run.started === undefined ? emptyCell : textCell(formatTime(run.started)),
      numberCell(secondsOf(run), formatSeconds),
      textCell(deviceOf(run)),
      numberCell(run.seed),
    ],
  ])
  return [
    plainTable(`${count(runs.length, "run")}; what differs from A is marked`, "", columns, rows),
  ]
}
