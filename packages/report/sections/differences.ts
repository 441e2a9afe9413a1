import { textCell } from "../cells.ts"
import { type Cell, plainTable, type Section } from "../document.ts"
import { leavesOf } from "../json.ts"
import type { ReportRun, ReportStep } from "../report_run.ts"
import { runLetter } from "./compare.ts"

const mostRows = 200

/** Everything about a run, besides its steps, that could change its results, by name. */
const settingsOf = (run: ReportRun): ReadonlyMap<string, unknown> =>
  new Map<string, unknown>([
    ["pipeline", run.name],
    ["seed", run.seed],
    ["device", run.device?.kind],
    ["adapter", run.device?.adapter],
    ...leavesOf(run.environment, "environment"),
    ...leavesOf(run.git, "git"),
    ...leavesOf(run.lockfile, "lockfile"),
    ...Object.entries(run.packages).map(([name, version]) => [name, version] as const),
    ...run.inputs.map(({ path, sha256 }) => [path, sha256] as const),
  ])

/** What a step was told, and whether it has a result. */
const stepSettingsOf = ({ use, status, configuration }: ReportStep): ReadonlyMap<string, unknown> =>
  new Map<string, unknown>([
    ["use", use],
    ...(status === "failed" || status === "skipped" ? [["status", status] as const] : []),
    ...leavesOf(configuration),
  ])

type Difference = readonly [name: string, values: ReadonlyArray<unknown>]

/** What is not the same in all of some settings. */
const compare = (
  settings: ReadonlyArray<ReadonlyMap<string, unknown>>,
): ReadonlyArray<Difference> =>
  [...new Set(settings.flatMap((one) => [...one.keys()]))]
    .map((name) => [name, settings.map((one) => one.get(name))] as const)
    .filter(([, values]) => new Set(values.map((value) => JSON.stringify(value))).size > 1)

const mostNames = 3

/** `wanda, sparsegpt and 6 more`. */
const list = (names: ReadonlyArray<string>): string => {
  const more = names.length - mostNames
  return more > 1 ? `${names.slice(0, mostNames).join(", ")} and ${more} more` : names.join(", ")
}

/** What differs between the steps of the runs: what many steps have alike is said once. */
const compareSteps = (runs: ReadonlyArray<ReportRun>): ReadonlyArray<Difference> => {
  const steps = runs.map((run) => new Map(run.steps.map((step) => [step.id, step])))
  const groups = new Map<string, { path: string; values: ReadonlyArray<unknown>; ids: string[] }>()
  for (const id of new Set(steps.flatMap((one) => [...one.keys()]))) {
    const found = steps.map((one) => one.get(id))
    const everywhere = found.every((step) => step !== undefined)
    const differences = everywhere
      ? compare(found.map(stepSettingsOf))
      : [["", found.map((step) => step?.use)] as const]
    for (const [path, values] of differences) {
      const key = JSON.stringify([path, values.map((value) => JSON.stringify(value) ?? "")])
      const group = groups.get(key) ?? { path, values, ids: [] }
      group.ids.push(id)
      groups.set(key, group)
    }
  }
  return [...groups.values()].map(({ path, values, ids }) => {
    const name = list(ids)
    return [path === "" ? name : `${name}: ${path}`, values]
  })
}

const cellOf = (value: unknown): Cell => {
  if (value === undefined) return textCell("–")
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "")
  return /^[0-9a-f]{40,}$/.test(text) ? { text: text.slice(0, 12), style: "code" } : textCell(text)
}

/** What is not the same in all runs. */
export const differenceSection = (runs: ReadonlyArray<ReportRun>): ReadonlyArray<Section> => {
  if (runs.length < 2) return []
  const different = [...compare(runs.map(settingsOf)), ...compareSteps(runs)]
  if (different.length === 0) {
    const text = "Pipeline, seed, device, packages and inputs are the same in all runs."
    return [{ id: "differences", title: "Differences", blocks: [{ kind: "text", text }] }]
  }
  const rows = different
    .slice(0, mostRows)
    .map(([name, values]) => [name, values.map(cellOf)] as const)
  const caption =
    different.length > mostRows
      ? `what differs, the first ${mostRows} of ${different.length}`
      : "what differs between the runs"
  const table = plainTable(
    caption,
    "",
    runs.map((_, i) => runLetter(i)),
    rows,
  )
  return [{ id: "differences", title: "Differences", blocks: [table] }]
}
