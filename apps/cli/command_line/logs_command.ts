import { Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import type { RunLogEvent } from "../run_history/manifest.ts"
import { findRun, readEvents } from "../run_history/run_history.ts"
import { storeLayer } from "./application.ts"
import { historyFlags, runArgument } from "./history_flags.ts"
import { formatCount, formatReasons, formatSeconds } from "./table.ts"
import { writeOut } from "./terminal.ts"

const textOf = (event: RunLogEvent): string | undefined => {
  const { id, update } = event
  switch (event.event) {
    case "RunStarted":
      return `${event.name}: ${formatCount(event.steps ?? 0, "step")}, run ${event.run}`
    case "StepStarted":
      return `${id}: ${event.use}: ${formatReasons(event.reasons ?? [])}`
    case "StepProgress": {
      if (update === undefined) return undefined
      const { task, completed, total, unit = "" } = update
      const of = typeof total === "number" ? ` of ${total}` : ""
      return `${id}: ${task}: ${completed}${of} ${unit}`.trimEnd()
    }
    case "StepNotice":
      return `${id}: note: ${event.message}`
    case "StepFinished": {
      const why = event.error?.message ?? event.reason
      const took = event.seconds ? ` in ${formatSeconds(event.seconds)}` : ""
      return `${id}: ${event.status}${took}${why === undefined ? "" : `: ${why}`}`
    }
    case "RunFinished":
      return `run ${event.status}`
    default:
      return undefined
  }
}

/** `espalier logs [RUN]`. */
export const logsCommand = Command.make(
  "logs",
  {
    run: runArgument,
    step: Flag.String("step").pipe(
      Flag.withDescription("only what this step told; may be repeated"),
      Flag.atLeast(0),
    ),
    last: Flag.Int("last").pipe(
      Flag.withSchema(Schema.Int.check(Schema.isGreaterThan(0))),
      Flag.withDescription("only so many lines, the last ones"),
      Flag.optional,
    ),
    ...historyFlags,
  },
  Effect.fnUntraced(function* ({ run, step, last, store, json }) {
    const events = yield* Effect.flatMap(findRun(run), ({ run: name }) => readEvents(name)).pipe(
      Effect.provide(storeLayer(store)),
    )
    const chosen = events.filter(({ id }) => step.length === 0 || step.includes(id ?? ""))
    const shown = Option.isSome(last) ? chosen.slice(-last.value) : chosen
    if (json) return yield* writeOut(`${JSON.stringify(shown, null, 2)}\n`)
    const lines = shown.flatMap((event) => {
      const text = textOf(event)
      return text === undefined ? [] : [`${new Date(event.time).toISOString()} ${text}\n`]
    })
    yield* writeOut(lines.join(""))
  }),
).pipe(Command.withDescription("Print what a run has told"))
