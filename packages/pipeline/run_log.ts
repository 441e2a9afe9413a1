import { Clock, Effect, Schedule } from "effect"
import { eventLine } from "./event_json.ts"
import type { RunEvent } from "./run_event.ts"
import { Store } from "./store.ts"

/** Progress is kept of each step once in so many milliseconds. */
const keepProgressEvery = 1000

/** What was told is written down after so many milliseconds at the latest. */
const writeEvery = 100

/**
 * Keeps the events of a run that a person may look for later in its `events.jsonl`, some at a time;
 * what is left is written when the scope closes.
 */
export const makeRunLog = Effect.fnUntraced(function* (run: string) {
  const store = yield* Store
  const lastKept = new Map<string, number>()
  let pending = ""
  const write = Effect.suspend(() => {
    if (pending === "") return Effect.void
    const text = pending
    pending = ""
    // What cannot be noted down does not stop a run: the store tells when it matters.
    return Effect.ignore(store.appendRunFile(run, "events.jsonl", text))
  })
  yield* Effect.addFinalizer(() => write)
  yield* Effect.forkScoped(Effect.repeat(write, Schedule.spaced(writeEvery)))
  const isKept = (event: RunEvent, now: number): boolean => {
    if (event._tag !== "StepProgress") return true
    if (now - (lastKept.get(event.id) ?? 0) < keepProgressEvery) return false
    lastKept.set(event.id, now)
    return true
  }
  return Effect.fnUntraced(function* (event: RunEvent) {
    const now = yield* Clock.currentTimeMillis
    if (isKept(event, now)) pending += eventLine(event, now)
    if (event._tag === "RunStarted" || event._tag === "RunFinished") yield* write
  })
})
