import { canonicalJson, isJsonObject, type Json } from "@espalier/pipeline"
import { Effect, Option } from "effect"
import { Argument, Command } from "effect/cli"
import { compareRuns, isCurve, type Difference } from "../run_history/compare_runs.ts"
import { findManifest } from "../run_history/run_history.ts"
import { storeLayer } from "./application.ts"
import { historyFlags } from "./history_flags.ts"
import { formatCount, formatNumber, formatTable } from "./table.ts"
import { writeOut } from "./terminal.ts"

const sha256Length = 64

/** The last value of a curve stands for it. */
const showCurve = (values: ReadonlyArray<Json>): string => {
  const last = values.at(-1)
  return `${values.length} values${typeof last === "number" ? `, last ${formatNumber(last)}` : ""}`
}

const show = (value: Json | undefined): string => {
  if (value === undefined) return "–"
  if (typeof value === "number") return formatNumber(value)
  if (isJsonObject(value) && isCurve(value)) return showCurve(Object.values(value))
  const text = typeof value === "string" ? value : canonicalJson(value)
  if (text.length === sha256Length && /^[0-9a-f]+$/.test(text)) return `${text.slice(0, 8)}…`
  return text.length > 48 ? `${text.slice(0, 47)}…` : text
}

const change = ({ before, after }: Difference): string =>
  typeof before === "number" && typeof after === "number"
    ? `${after > before ? "+" : ""}${formatNumber(after - before)}`
    : ""

/** A value for each layer: too many to read. */
const isByLayer = ({ at }: Difference): boolean => at.includes(".layers.")

const titles = {
  pipeline: "pipeline",
  conditions: "seed, device, files",
  packages: "packages",
  code: "code",
  statuses: "how steps ended",
  metrics: "measured",
} as const

const run = (name: string, description: string) =>
  Argument.String(name).pipe(Argument.withDescription(description))

/** `espalier diff A B`. */
export const diffCommand = Command.make(
  "diff",
  {
    before: run("A", "the name of a run, or its beginning"),
    after: run("B", "the one to compare it with"),
    ...historyFlags,
  },
  Effect.fnUntraced(function* ({ before, after, store, json }) {
    const [a, b] = yield* Effect.all([
      findManifest(Option.some(before)),
      findManifest(Option.some(after)),
    ]).pipe(Effect.provide(storeLayer(store)))
    const found = compareRuns(a, b)
    if (json) {
      const told = { before: a.run, after: b.run, ...found }
      const text = JSON.stringify(told, (_, value: unknown) => value ?? null, 2)
      return yield* writeOut(`${text}\n`)
    }
    const byLayer = found.metrics.filter(isByLayer).length
    const parts = (Object.keys(titles) as Array<keyof typeof titles>).flatMap((part) => {
      const list = found[part].filter((each) => !isByLayer(each))
      if (list.length === 0) return []
      const rows = list.map((each) => [
        each.at,
        show(each.before),
        show(each.after),
        ...(part === "metrics" ? [change(each)] : []),
      ])
      return [formatTable([[titles[part], a.run, b.run], ...rows])]
    })
    if (byLayer > 0) parts.push(`${formatCount(byLayer, "more value")} of single layers: --json`)
    yield* writeOut(parts.length === 0 ? "no difference\n" : `${parts.join("\n\n")}\n`)
  }),
).pipe(Command.withDescription("Compare two runs: what was asked for, and what came of it"))
