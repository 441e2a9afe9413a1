import { Effect, Option, Schema } from "effect"
import { Command } from "effect/cli"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { type Application, storeLayer } from "./application.ts"
import { runFlags } from "./common_flags.ts"
import { writeReport } from "./report_command.ts"
import { runFile } from "./run_command.ts"
import { writeOut } from "./terminal.ts"
import { ownWorkspace } from "./workspace.ts"

/** There is no demo where the command was installed without its clone. */
export class DemoMissing extends Schema.TaggedError<DemoMissing>()("DemoMissing", {
  hint: Schema.String,
}) {
  override get message(): string {
    return "the demo pipeline is not part of the installed package"
  }
}

/** The demo's pipeline file, where the command runs from a clone. */
export const demoFile = (): string | undefined => {
  const workspace = ownWorkspace()
  const file = workspace && join(workspace, "pipelines", "demo.yaml")
  return file !== undefined && existsSync(file) ? file : undefined
}

/** `espalier demo`. */
export const makeDemoCommand = <R>(application: Application<R>) =>
  Command.make(
    "demo",
    runFlags,
    Effect.fnUntraced(function* (options) {
      const file = demoFile()
      if (file === undefined) {
        return yield* new DemoMissing({ hint: "clone the project, or run a pipeline of your own" })
      }
      yield* runFile(application, file, options)
      if (options.json || options.events) return
      const report = yield* writeReport([Option.none()]).pipe(
        Effect.provide(storeLayer(options.store)),
      )
      yield* writeOut(`report: ${report}\n`)
    }),
  ).pipe(
    Command.withDescription("Train, prune and evaluate a tiny language model on generated stories"),
  )
