import { Effect, Queue, Schema, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import type { Submission, Told } from "./engine.ts"
import { StepProcessLost } from "./errors.ts"
import { Order, Report } from "./messages.ts"
import type { StepFailure } from "./step_failure.ts"

/** How to start a process that does steps: a module that calls `hostSteps`. */
export interface StepProcessCommand {
  readonly module: string
  readonly arguments?: ReadonlyArray<string>
  /** Of Node itself; those of this process by default. */
  readonly execArgv?: ReadonlyArray<string>
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/** A process that does one step after the other. */
export interface StepProcess {
  /**
   * Gives how the step failed, or nothing. Fails where the process cannot do steps any more. Where it
   * is interrupted, the process is ended.
   */
  readonly perform: (
    submission: Submission,
    tell: (told: Told) => Effect.Effect<void>,
  ) => Effect.Effect<StepFailure | undefined, StepFailure>
}

const decodeReport = Schema.decodeUnknownSync(Report)
const encodeOrder = Schema.encodeSync(Order)

const lost = (detail: string): StepFailure => {
  const error = new StepProcessLost({
    detail,
    hint: "often it is memory that was wanting; see what the system says, and run again",
  })
  return { tag: error._tag, message: error.message, hint: error.hint }
}

interface Running {
  readonly child: ChildProcess
  readonly reports: Queue.Queue<Report>
  /** Undefined while it runs. */
  ended: string | undefined
}

/** Steps have no business in the database. */
const withoutDatabase = ({
  ESPALIER_DATABASE: _database,
  ...environment
}: Readonly<Record<string, string | undefined>>) => environment

/** Starts the process; its first report says whether it can do steps. */
const start = (command: StepProcessCommand): Running => {
  const child = fork(command.module, [...(command.arguments ?? [])], {
    ...(command.execArgv === undefined ? {} : { execArgv: [...command.execArgv] }),
    env: withoutDatabase(command.environment ?? process.env),
    // Standard output is data, and a step's words are not.
    stdio: ["ignore", 2, 2, "ipc"],
    // What a terminal sends to the worker is the worker's to hand on.
    detached: true,
  })
  const reports = Effect.runSync(Queue.unbounded<Report>())
  const running: Running = { child, reports, ended: undefined }
  const end = (detail: string) => {
    if (running.ended !== undefined) return
    running.ended = detail
    Queue.offerUnsafe(reports, { _tag: "Ended", failure: lost(detail) })
  }
  child.on("message", (message) => void Queue.offerUnsafe(reports, decodeReport(message)))
  child.on("error", (error) => end(error.message))
  child.on("exit", (code, signal) => end(signal ?? `exit code ${code}`))
  return running
}

const untilEnded = Effect.fnUntraced(function* (
  { reports }: Running,
  tell: (told: Told) => Effect.Effect<void>,
) {
  for (;;) {
    const report = yield* Queue.take(reports)
    switch (report._tag) {
      case "Told":
        yield* tell(report.told)
        break
      case "Ready":
        return undefined
      case "Unable":
        return report.failure
      case "Ended":
        return report.failure ?? undefined
    }
  }
})

/**
 * A process for steps, started now and again after each end. Files that steps read are put into the
 * folder, which is its own. Fails where it cannot do steps.
 */
export const makeStepProcess = (
  command: StepProcessCommand,
  folder: string,
): Effect.Effect<StepProcess, StepFailure, Scope.Scope> =>
  Effect.gen(function* () {
    let running: Running | undefined
    const stop = Effect.sync(() => {
      running?.child.kill("SIGKILL")
      running = undefined
    })
    yield* Effect.addFinalizer(() => stop)

    const ready = Effect.gen(function* () {
      if (running !== undefined && running.ended === undefined) return running
      running = start(command)
      const failure = yield* untilEnded(running, () => Effect.void)
      if (failure === undefined) return running
      yield* stop
      return yield* Effect.fail(failure)
    })

    yield* ready
    return {
      perform: (submission, tell) =>
        Effect.gen(function* () {
          const process = yield* ready
          process.child.send(encodeOrder({ submission, folder }))
          return yield* untilEnded(process, tell)
        }).pipe(Effect.onInterrupt(() => stop)),
    }
  })
