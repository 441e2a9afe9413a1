import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Effect, Exit, Fiber } from "effect"
import { exitCodes } from "./exit_code.ts"
import { reportCause } from "./report_error.ts"

/** Signals that one Ctrl-C brings twice (from the terminal and from a parent) come within this time. */
const sameKeystroke = 500

/**
 * Runs the command line as the process: SIGINT and SIGTERM interrupt it and let it put things in
 * order, a second SIGINT ends it at once. The store is sound either way.
 */
export const runMain = (
  cli: (args: ReadonlyArray<string>) => Effect.Effect<number, never, NodeServices.NodeServices>,
): void => {
  const main = cli(process.argv.slice(2)).pipe(
    Effect.provide(NodeServices.layer),
    Effect.tapCause((cause) => reportCause("", cause)),
  )
  const fiber = Effect.runFork(main)
  let interrupted = 0
  const interrupt = () => {
    if (interrupted === 0) {
      interrupted = Date.now()
      Effect.runFork(Fiber.interrupt(fiber))
    } else if (Date.now() - interrupted > sameKeystroke) {
      process.exit(exitCodes.interrupted)
    }
  }
  process.on("SIGINT", interrupt)
  process.on("SIGTERM", interrupt)
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error
    })
  }
  const keepAlive = setInterval(() => undefined, 1 << 30)
  fiber.addObserver((exit) => {
    clearInterval(keepAlive)
    if (interrupted > 0) {
      process.stderr.write("interrupted: what is done is kept; run again to go on\n")
      process.exit(exitCodes.interrupted)
    }
    process.exit(
      Exit.isSuccess(exit)
        ? exit.value
        : Cause.hasInterrupts(exit.cause)
          ? exitCodes.interrupted
          : exitCodes.stepFailed,
    )
  })
}
