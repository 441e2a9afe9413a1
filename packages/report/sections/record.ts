import { codeCell, emptyCell, numberCell, textCell } from "../cells.ts"
import { type Block, type Cell, plainTable, type Section } from "../document.ts"
import { formatBytes } from "../format.ts"
import { type JsonObject, leavesOf } from "../json.ts"
import type { ReportRun } from "../report_run.ts"
import { runLetter } from "./compare.ts"

const showLeaf = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "")

const pairs = (caption: string, heading: string, column: string, document: JsonObject) => {
  const rows = leavesOf(document).map(
    ([name, value]) => [name, [codeCell(showLeaf(value))]] as const,
  )
  return rows.length === 0 || Object.keys(document).length === 0
    ? []
    : [plainTable(caption, heading, [column], rows)]
}

const recordOf = (run: ReportRun): ReadonlyArray<Block> => {
  const named = (
    name: string,
    value: unknown,
  ): ReadonlyArray<readonly [string, ReadonlyArray<Cell>]> =>
    value === undefined
      ? []
      : leavesOf(value, name).map(([path, leaf]) => [path, [codeCell(showLeaf(leaf))]] as const)
  const facts = [
    ...named("run", run.run),
    ...named("pipeline", run.name),
    ...named("file", run.file),
    ...named("seed", run.seed),
    ...named("started", run.started),
    ...named("finished", run.finished),
    ...named("device", run.device),
    ...named("git", run.git),
    ...named("lockfile", run.lockfile),
  ]
  const inputs = run.inputs.map(
    ({ path, sha256, bytes }): readonly [string, ReadonlyArray<Cell>] => [
      path,
      [numberCell(bytes, formatBytes), sha256 === undefined ? emptyCell : codeCell(sha256)],
    ],
  )
  const keys = run.steps.flatMap(({ id, key }) => (key === undefined ? [] : [[id, key] as const]))
  return [
    { kind: "facts", facts },
    ...(inputs.length === 0 ? [] : [plainTable("inputs", "path", ["size", "SHA-256"], inputs)]),
    ...pairs("packages", "package", "version", run.packages),
    ...pairs("environment", "name", "value", run.environment),
    ...pairs("cache keys", "step", "key", Object.fromEntries(keys)),
  ]
}

/** Everything that could change a result: inputs with their hashes, versions, environment, keys. */
export const recordSection = (runs: ReadonlyArray<ReportRun>): ReadonlyArray<Section> => {
  const blocks = runs.map((run, i): Block => {
    const name = runs.length > 1 ? `Record of ${runLetter(i)}` : "Record"
    return { kind: "details", summary: [textCell(name), codeCell(run.run)], blocks: recordOf(run) }
  })
  return blocks.length === 0 ? [] : [{ id: "record", title: "Record", blocks }]
}
