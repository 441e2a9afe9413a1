import { Effect } from "effect"
import { Command } from "effect/cli"
import type { PastRun } from "../run_history/run_history.ts"
import { readRuns } from "../run_history/run_history.ts"
import { storeLayer } from "./application.ts"
import { historyFlags } from "./history_flags.ts"
import { formatSeconds, formatTable } from "./table.ts"
import { writeOut } from "./terminal.ts"

const secondsOf = ({ manifest }: PastRun): number | undefined =>
  manifest && (Date.parse(manifest.finished) - Date.parse(manifest.started)) / 1000

/** `3 done, 2 cached`: how many steps ended how. */
const stepsInShort = ({ manifest }: PastRun): string => {
  const counts = new Map<string, number>()
  for (const { status } of Object.values(manifest?.steps ?? {})) {
    counts.set(status, (counts.get(status) ?? 0) + 1)
  }
  return Array.from(counts, ([status, count]) => `${count} ${status}`).join(", ")
}

/** `espalier ls`. */
export const lsCommand = Command.make(
  "ls",
  historyFlags,
  Effect.fnUntraced(function* ({ store, json }) {
    const runs = yield* readRuns.pipe(Effect.provide(storeLayer(store)))
    if (json) {
      const told = runs.map((past) => ({
        run: past.run,
        name: past.name,
        status: past.status,
        started: past.started,
        seconds: secondsOf(past) ?? null,
      }))
      return yield* writeOut(`${JSON.stringify(told, null, 2)}\n`)
    }
    const rows = runs.map((past) => {
      const seconds = secondsOf(past)
      const took = seconds === undefined ? "" : formatSeconds(seconds)
      const started = past.started.slice(0, 16).replace("T", " ")
      return [past.run, past.name, past.status, started, took, stepsInShort(past)]
    })
    const heading = ["run", "pipeline", "status", "started (UTC)", "took", "steps"]
    yield* writeOut(rows.length === 0 ? "no runs yet\n" : `${formatTable([heading, ...rows])}\n`)
  }),
).pipe(Command.withDescription("List the runs that the store has, the last one first"))
