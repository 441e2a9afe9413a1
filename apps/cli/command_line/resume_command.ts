import { Effect, Option, Schema } from "effect"
import { Command } from "effect/cli"
import { findRun } from "../run_history/run_history.ts"
import { type Application, storeLayer } from "./application.ts"
import { runFlags } from "./common_flags.ts"
import { runArgument } from "./history_flags.ts"
import { runFile } from "./run_command.ts"

/** A run that cannot be gone on with: it is going on, or it was not asked for from the command line. */
export class NotResumable extends Schema.TaggedError<NotResumable>()("NotResumable", {
  run: Schema.String,
  problem: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `the run ${this.run} ${this.problem}`
  }
}

const { data, store, remote, json, events, jobs, database } = runFlags

/** `espalier resume [RUN]`. */
export const makeResumeCommand = <R>(application: Application<R>) =>
  Command.make(
    "resume",
    { run: runArgument, store, remote, json, events, data, jobs, database },
    Effect.fnUntraced(function* ({ run, ...flags }) {
      const past = yield* findRun(run).pipe(Effect.provide(storeLayer(flags.store)))
      const { request } = past
      if (past.status === "running") {
        const hint = `espalier status ${past.run} says how far it is.`
        return yield* new NotResumable({ run: past.run, problem: "is going on", hint })
      }
      if (request?.file === undefined) {
        const problem = "does not say what pipeline it was of"
        const hint = "Run the pipeline's file again: what is done is taken from the store."
        return yield* new NotResumable({ run: past.run, problem, hint })
      }
      yield* runFile(application, request.file, {
        ...flags,
        data: Option.orElse(flags.data, () => Option.fromUndefinedOr(request.data)),
        remote: Option.orElse(flags.remote, () => Option.fromUndefinedOr(request.remote)),
        device: request.device ?? "auto",
        executor: request.executor ?? "local",
        set: request.set ?? [],
        only: request.only ?? [],
        // What was computed anew before the end stays.
        from: Option.none(),
        limit: Option.fromUndefinedOr(request.limit),
        keepGoing: request.keepGoing ?? true,
        sandbox: request.sandbox ?? false,
        allow: request.allow ?? [],
        out: Option.fromUndefinedOr(request.out),
      })
    }),
  ).pipe(
    Command.withDescription(
      "Go on with a run that failed or was ended, as it was asked for: what is done is kept",
    ),
  )
