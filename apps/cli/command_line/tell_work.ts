import { Notices, Progress } from "@espalier/runtime"
import { Effect } from "effect"
import { makeRunListener } from "./run_listener.ts"
import { writeError } from "./terminal.ts"

/** Tells progress and notices of a command's work on standard error, as a run of a pipeline does. */
export const tellWork = (id: string) => {
  const { stderr } = process
  const listen = makeRunListener({
    write: writeError,
    isTerminal: stderr.isTTY,
    columns: stderr.columns ?? 80,
  })
  return <A, E, R>(work: Effect.Effect<A, E, R>) =>
    work.pipe(
      Effect.provideService(Progress, {
        report: (update) => listen({ _tag: "StepProgress", id, update }),
      }),
      Effect.provideService(Notices, {
        report: (message) => writeError(`note: ${message}\n`),
      }),
    )
}
