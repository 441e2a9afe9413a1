import type { RunEvent } from "./run_event.ts"

/**
 * An event of a run as a line of JSON, with the time in milliseconds since 1970 (`time`) and its kind
 * (`event`: `RunStarted`, `RunNotice`, `StepStarted`, `StepProgress`, `StepNotice`, `StepFinished`, `RunFinished`).
 */
export const eventLine = (event: RunEvent, time: number): string => {
  const { _tag, ...fields } = event
  const told =
    event._tag === "StepFinished"
      ? { id: event.id, index: event.index, steps: event.steps, ...event.record }
      : event._tag === "RunFinished"
        ? { run: event.record.run, status: event.record.status, folder: event.folder }
        : fields
  return `${JSON.stringify({ event: _tag, time, ...told })}\n`
}
