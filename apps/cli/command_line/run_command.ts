import { eventLine, type JsonObject, runPipeline } from "@espalier/pipeline"
import { Clock, Effect, Option, Schema } from "effect"
import { Argument, Command } from "effect/cli"
import { resolve } from "node:path"
import {
  type Application,
  type CommonOptions,
  loadWithFlags,
  provideWithFlags,
} from "./application.ts"
import { runFlags } from "./common_flags.ts"
import { type ExecutorOptions, provideExecutor } from "./executor_flags.ts"
import { provenance } from "./provenance.ts"
import { remoteAddress } from "./remote_flag.ts"
import { resultText } from "./result_text.ts"
import { listenOnTerminal } from "./run_listener.ts"
import { writeOut } from "./terminal.ts"

/** A step failed; it was told already. */
export class RunFailed extends Schema.TaggedError<RunFailed>()("RunFailed", {
  failedSteps: Schema.Array(Schema.Struct({ id: Schema.String, tag: Schema.String })),
  hint: Schema.String,
}) {
  override get message(): string {
    return `failed: ${this.failedSteps.map(({ id }) => id).join(", ")}`
  }
}

/** The flags of a run as they were given. */
export interface RunFlags extends CommonOptions, ExecutorOptions {
  readonly only: ReadonlyArray<string>
  readonly from: Option.Option<string>
  readonly keepGoing: boolean
  readonly jobs: number
  readonly events: boolean
  readonly out: Option.Option<string>
}

/** What is noted down of a run, to ask for it again. */
const requestOf = (file: string, flags: RunFlags): JsonObject => {
  const some = (name: string, value: Option.Option<string | number>): JsonObject =>
    Option.isSome(value) ? { [name]: value.value } : {}
  const { set, only, device, executor, keepGoing, jobs } = flags
  return {
    file: resolve(file),
    device,
    executor,
    set,
    only,
    keepGoing,
    jobs,
    sandbox: flags.sandbox,
    allow: flags.allow.map((folder) => resolve(folder)),
    ...some("remote", remoteAddress(flags.remote)),
    ...some("from", flags.from),
    ...some("limit", flags.limit),
    ...some(
      "data",
      Option.map(flags.data, (folder) => resolve(folder)),
    ),
    ...some(
      "out",
      Option.map(flags.out, (folder) => resolve(folder)),
    ),
  }
}

/** Runs a pipeline file and tells it: progress on standard error, results on standard output. */
export const runFile = Effect.fnUntraced(function* <R>(
  application: Application<R>,
  file: string,
  options: RunFlags,
) {
  const pipeline = yield* loadWithFlags(application, file, options)
  const listen = listenOnTerminal()
  const { only, from, keepGoing, jobs, events, json } = options
  const record = yield* runPipeline(pipeline, {
    packages: application.packages(),
    environment: yield* provenance(file),
    request: requestOf(file, options),
    keepGoing,
    jobs,
    ...(only.length > 0 ? { only } : {}),
    ...(Option.isSome(from) ? { from: from.value } : {}),
    ...(Option.isSome(options.out) ? { out: options.out.value } : {}),
    onEvent: Effect.fnUntraced(function* (event) {
      yield* listen(event)
      if (events) yield* writeOut(eventLine(event, yield* Clock.currentTimeMillis))
      if (event._tag !== "RunFinished" || events) return
      yield* writeOut(
        json
          ? `${JSON.stringify(event.record, null, 2)}\n`
          : `${resultText(event.record)}\nresults: ${event.folder}\n`,
      )
    }),
  }).pipe(provideExecutor(options), provideWithFlags(application, options))
  const failedSteps = Object.entries(record.steps).flatMap(([id, { status, error }]) =>
    status === "failed" ? [{ id, tag: error?.tag ?? "Defect" }] : [],
  )
  if (failedSteps.length > 0) {
    return yield* new RunFailed({
      failedSteps,
      hint: "what was computed is kept: correct the cause and run again",
    })
  }
})

/** `espalier run FILE`. */
export const makeRunCommand = <R>(application: Application<R>) =>
  Command.make(
    "run",
    {
      file: Argument.String("FILE").pipe(
        Argument.withDescription(
          "a pipeline: .yaml, or .ts with the same document as its default export",
        ),
      ),
      ...runFlags,
    },
    ({ file, ...options }) => runFile(application, file, options),
  ).pipe(
    Command.withDescription("Run a pipeline; what is in the store already is not computed again"),
  )
