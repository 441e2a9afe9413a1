import type * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Exit, Layer } from "effect"
import { CliConfig, CliOutput, Command, GlobalFlag } from "effect/cli"
import type { Application } from "./application.ts"
import { cacheCommand } from "./cache_command.ts"
import { makeCompletionsCommand } from "./completions_command.ts"
import { demoFile, makeDemoCommand } from "./demo_command.ts"
import { diffCommand } from "./diff_command.ts"
import { makeDoctorCommand } from "./doctor_command.ts"
import { exitCodeOfExit, exitCodes, type Failure } from "./exit_code.ts"
import { makeInitCommand } from "./init_command.ts"
import { logsCommand } from "./logs_command.ts"
import { lsCommand } from "./ls_command.ts"
import { makePlanCommand } from "./plan_command.ts"
import { errorLines, reportCause } from "./report_error.ts"
import { reportCommand } from "./report_command.ts"
import { makeResumeCommand } from "./resume_command.ts"
import { makeRunCommand } from "./run_command.ts"
import { makeSchemaCommand } from "./schema_command.ts"
import { statusCommand } from "./status_command.ts"
import { makeStepsCommand } from "./steps_command.ts"
import { writeError } from "./terminal.ts"
import { makeVerifyCommand } from "./verify_command.ts"
import { makeWorkerCommand } from "./worker_command.ts"
import { ownVersion } from "./versions.ts"

/**
 * A further command beside run, plan, steps and demo. Its failures are tagged errors, and beside
 * files, terminal and processes it has all services that it needs.
 */
export type FurtherCommand = Command.Command.Any

/** Help goes to standard output where it was asked for; a wrong command line is told on standard error. */
const presenter = CliOutput.layerPresenter({
  present: Effect.fnUntraced(function* (event) {
    switch (event._tag) {
      case "InvalidInvocation": {
        const command = event.commandPath.join(" ")
        for (const error of event.errors) {
          const [what, likely] = error.message.split(/\s*Did you mean this\?\s*/)
          const usage = `${command} --help says what it takes`
          const hint = likely === undefined ? usage : `did you mean ${likely.trim()}? ${usage}`
          yield* writeError(errorLines(what, hint))
        }
        return
      }
      case "Help": {
        const formatter = yield* CliOutput.Formatter
        return yield* Console.log(formatter.formatHelpDoc(event.helpDoc))
      }
      case "Version":
        return yield* Console.log(`${event.name} ${event.version}`)
    }
  }),
})

const config = CliConfig.layer({
  builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions],
})

/**
 * The command line over some steps: runs with arguments, tells every failure, and gives the exit
 * code. It fails with nothing.
 */
export const makeCli = <R>(
  application: Application<R>,
  further: ReadonlyArray<FurtherCommand> = [],
) => {
  const root = Command.make("espalier").pipe(
    Command.withDescription("Train, prune, quantise and evaluate language models from pipelines"),
    Command.withSubcommands([
      makeInitCommand(application),
      makePlanCommand(application),
      makeRunCommand(application),
      makeResumeCommand(application),
      statusCommand,
      lsCommand,
      logsCommand,
      diffCommand,
      reportCommand,
      makeVerifyCommand(application),
      makeWorkerCommand(application),
      cacheCommand,
      makeStepsCommand(application),
      makeSchemaCommand(application),
      makeDoctorCommand(application),
      makeCompletionsCommand((): Command.Command.Any => root),
      makeDemoCommand(application),
      ...further,
    ]),
  )
  const runRoot = Command.runWith(root, { version: ownVersion() })
  // What a further command fails with and needs is not in its type: see FurtherCommand.
  const run = (args: ReadonlyArray<string>) =>
    runRoot(args) as Effect.Effect<void, Failure, NodeServices.NodeServices>
  return (args: ReadonlyArray<string>): Effect.Effect<number, never, NodeServices.NodeServices> =>
    run(args.length === 0 && demoFile() !== undefined ? ["demo"] : args).pipe(
      Effect.as<number>(exitCodes.ok),
      Effect.provide(Layer.merge(presenter, config)),
      Effect.exit,
      Effect.flatMap((exit) => {
        const code = exitCodeOfExit(exit)
        if (Exit.isSuccess(exit)) return Effect.succeed(code)
        const failure = exit.cause.reasons.find(Cause.isFailReason)?.error
        // Help was presented already: without errors it was asked for, by naming no command.
        if (failure?._tag === "ShowHelp") {
          const asked =
            "errors" in failure && Array.isArray(failure.errors) && failure.errors.length === 0
          return Effect.succeed(asked ? exitCodes.ok : code)
        }
        return Effect.as(reportCause("", exit.cause), code)
      }),
    )
}
