import { Effect } from "effect"
import { Command } from "effect/cli"
import type { RunLogEvent } from "../run_history/manifest.ts"
import { findRun, readEvents } from "../run_history/run_history.ts"
import { storeLayer } from "./application.ts"
import { historyFlags, runArgument } from "./history_flags.ts"
import { formatSeconds, formatTable } from "./table.ts"
import { writeOut } from "./terminal.ts"

/** What became of a step so far. */
interface StepStatus {
  readonly id: string
  readonly status: string
  readonly seconds: number | undefined
  readonly note: string
}

const progressOf = ({ update }: RunLogEvent): string => {
  if (update === undefined) return ""
  const { task, completed, total } = update
  return typeof total === "number" ? `${task}: ${completed} of ${total}` : `${task}: ${completed}`
}

/** The steps that a run has told of, in the order in which they were told. */
const stepsOf = (events: ReadonlyArray<RunLogEvent>, isRunning: boolean): Array<StepStatus> => {
  const steps = new Map<string, StepStatus>()
  for (const each of events) {
    const { id, event } = each
    if (id === undefined) continue
    const before = steps.get(id)
    if (event === "StepFinished") {
      const note = each.error?.message ?? each.reason ?? ""
      const { status = "", seconds } = each
      steps.set(id, { id, status, seconds, note: note.split("\n")[0] })
    } else if (before?.seconds !== undefined) {
      // It has ended; its result is made once more because it was damaged.
      continue
    } else if (event === "StepStarted" || event === "StepProgress") {
      const status = isRunning ? "running" : "broken off"
      steps.set(id, {
        id,
        status,
        seconds: undefined,
        note: progressOf(each) || before?.note || "",
      })
    }
  }
  return [...steps.values()]
}

/** `espalier status [RUN]`. */
export const statusCommand = Command.make(
  "status",
  { run: runArgument, ...historyFlags },
  Effect.fnUntraced(function* ({ run, store, json }) {
    const [past, events] = yield* Effect.gen(function* () {
      const found = yield* findRun(run)
      return [found, yield* readEvents(found.run)] as const
    }).pipe(Effect.provide(storeLayer(store)))
    const steps = stepsOf(events, past.status === "running")
    const begun = events.find(({ event }) => event === "RunStarted")
    const total = begun?.steps ?? steps.length
    if (json) {
      const { run: name, status, name: pipeline, started } = past
      const told = { run: name, pipeline, status, started, total, steps }
      return yield* writeOut(`${JSON.stringify(told, null, 2)}\n`)
    }
    const table = formatTable([
      ["step", "status", "took", ""],
      ...steps.map(({ id, status, seconds, note }) => [
        id,
        status,
        seconds === undefined ? "" : formatSeconds(seconds),
        note,
      ]),
    ])
    const ended = steps.filter(({ seconds }) => seconds !== undefined).length
    const hint =
      past.status === "done" || past.status === "running"
        ? ""
        : `\nespalier resume ${past.run} goes on\n`
    const head = `${past.name}, run ${past.run}: ${past.status}`
    if (begun === undefined) return yield* writeOut(`${head}, before its first step\n${hint}`)
    yield* writeOut(`${head}, ${ended} of ${total} steps ended\n\n${table}\n${hint}`)
  }),
).pipe(Command.withDescription("Say how far a run is, or how it ended"))
