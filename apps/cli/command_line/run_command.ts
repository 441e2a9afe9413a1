import { runPipeline } from "@espalier/pipeline"
import { Effect, Option, Schema } from "effect"
import { Argument, Command } from "effect/cli"
import {
  type Application,
  type CommonOptions,
  loadWithFlags,
  provideWithFlags,
} from "./application.ts"
import { runFlags } from "./common_flags.ts"
import { resultText } from "./result_text.ts"
import { makeRunListener } from "./run_listener.ts"
import { writeError, writeOut } from "./terminal.ts"

/** A step failed; it was told already. */
export class RunFailed extends Schema.TaggedError<RunFailed>()("RunFailed", {
  failedSteps: Schema.Array(Schema.Struct({ id: Schema.String, tag: Schema.String })),
  hint: Schema.String,
}) {
  override get message(): string {
    return `failed: ${this.failedSteps.map(({ id }) => id).join(", ")}`
  }
}

/** Runs a pipeline file and tells it: progress on standard error, results on standard output. */
export const runFile = Effect.fnUntraced(function* <R>(
  application: Application<R>,
  file: string,
  options: CommonOptions & { readonly out: Option.Option<string> },
) {
  const pipeline = yield* loadWithFlags(application, file, options)
  const listen = makeRunListener({
    write: writeError,
    isTerminal: process.stderr.isTTY,
    columns: process.stderr.columns ?? 80,
  })
  const record = yield* runPipeline(pipeline, {
    packages: application.packages(),
    environment: {
      node: process.version,
      platform: `${process.platform}-${process.arch}`,
    },
    ...(Option.isSome(options.out) ? { out: options.out.value } : {}),
    onEvent: Effect.fnUntraced(function* (event) {
      yield* listen(event)
      if (event._tag !== "RunFinished") return
      yield* writeOut(
        options.json
          ? `${JSON.stringify(event.record, null, 2)}\n`
          : `${resultText(event.record)}\nresults: ${event.folder}\n`,
      )
    }),
  }).pipe(provideWithFlags(application, options))
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
