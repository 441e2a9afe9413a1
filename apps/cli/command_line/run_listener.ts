import type { RunEvent } from "@espalier/pipeline"
import { Clock, Effect } from "effect"
import { formatBar, makeMeter, type Meter } from "./progress_meter.ts"
import { errorLines, reportDefect } from "./report_error.ts"
import { formatCount, formatReasons, formatSeconds } from "./table.ts"
import { writeError } from "./terminal.ts"

/** Where a listener writes. */
export interface Screen {
  readonly write: (text: string) => Effect.Effect<void>
  /** On a terminal the last line is a bar that is painted over. */
  readonly isTerminal: boolean
  readonly columns: number
}

const repaintEvery = 100
const lineEvery = 5_000

/** A step that has begun and not ended. */
interface Running {
  readonly meter: ReturnType<typeof makeMeter>
  progress: Meter | undefined
  lastTold: number
}

/** How far the running steps are: one in full, several in a word each. */
const describeRunning = (running: ReadonlyMap<string, Running>): string => {
  const told = [...running].flatMap(([id, { progress }]) =>
    progress === undefined ? [] : [{ id, ...progress }],
  )
  if (told.length === 1) {
    const [{ id, task, fraction, text }] = told
    const bar = fraction === undefined ? "" : `${formatBar(fraction, 24)} `
    return `${bar}${task === id ? id : `${id}: ${task}`}: ${text}`
  }
  return told.map(({ id, brief }) => `${id} ${brief}`).join(" · ")
}

/** Tells a run on standard error: a bar on a terminal, a line now and then elsewhere. */
export const makeRunListener = (screen: Screen) => {
  const running = new Map<string, Running>()
  let lastPainted = 0
  let painted = false
  let [ended, allSteps] = [0, 0]

  const line = (text: string) =>
    Effect.suspend(() => {
      const erase = painted ? "\r\u001b[K" : ""
      painted = false
      return screen.write(`${erase}${text}\n`)
    })

  const paint = (text: string) =>
    Effect.suspend(() => {
      painted = true
      const room = Math.max(10, screen.columns - 1)
      return screen.write(`\r\u001b[K${Array.from(text).slice(0, room).join("")}`)
    })

  return (event: RunEvent): Effect.Effect<void> =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      switch (event._tag) {
        case "RunStarted":
          allSteps = event.steps
          return yield* line(`${event.name}: ${formatCount(event.steps, "step")}, run ${event.run}`)
        case "StepStarted": {
          running.set(event.id, { meter: makeMeter(), progress: undefined, lastTold: now })
          const text = `[${event.index}/${event.steps}] ${event.id} (${event.use}): ${formatReasons(event.reasons)}`
          return yield* screen.isTerminal ? Effect.andThen(line(text), paint("  …")) : line(text)
        }
        case "StepProgress": {
          const step = running.get(event.id)
          if (step === undefined) return
          const { completed, total } = event.update
          const told = (step.progress = step.meter(event.update, now))
          if (screen.isTerminal) {
            if (now - lastPainted < repaintEvery && completed !== total) return
            lastPainted = now
            return yield* paint(`  ${ended} of ${allSteps} done · ${describeRunning(running)}`)
          }
          if (now - step.lastTold < lineEvery) return
          step.lastTold = now
          const percent =
            told.fraction === undefined ? "" : `${Math.floor(told.fraction * 100)} %, `
          return yield* line(`  ${event.id}: ${told.task}: ${percent}${told.text}`)
        }
        case "RunNotice":
          return yield* line(`  note: ${event.message}`)
        case "StepNotice":
          return yield* line(`  note: ${event.id}: ${event.message}`)
        case "StepFinished": {
          const { record, id, cause } = event
          ended++
          running.delete(id)
          const head = `[${event.index}/${event.steps}] ${id}:`
          switch (record.status) {
            case "cached":
              yield* line(`${head} from the cache`)
              for (const notice of record.notices) yield* line(`  note: ${id}: ${notice}`)
              return
            case "done": {
              const { hostFallbacks } = record
              const host =
                hostFallbacks.length === 0 ? "" : ` (on the host: ${hostFallbacks.join(", ")})`
              return yield* line(`${head} done in ${formatSeconds(record.seconds)}${host}`)
            }
            case "skipped":
              return yield* line(`${head} skipped, ${record.reason ?? ""}`)
            case "failed": {
              yield* line(`${head} failed after ${formatSeconds(record.seconds)}`)
              if (record.error === undefined) return
              if (record.error.tag === "Defect" && cause !== undefined) {
                return yield* reportDefect(`step ${id}: `, cause)
              }
              const { message, hint } = record.error
              return yield* screen.write(errorLines(`step ${id}: ${message}`, hint))
            }
          }
        }
        case "RunFinished":
          return painted ? yield* screen.write("\r\u001b[K") : undefined
      }
    })
}

/** Tells a run on this process's standard error. */
export const listenOnTerminal = () =>
  makeRunListener({
    write: writeError,
    isTerminal: process.stderr.isTTY,
    columns: process.stderr.columns ?? 80,
  })
