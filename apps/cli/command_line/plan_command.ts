import { planPipeline } from "@espalier/pipeline"
import { Notices } from "@espalier/runtime"
import { Effect } from "effect"
import { Argument, Command } from "effect/cli"
import { type Application, loadWithFlags, provideWithFlags } from "./application.ts"
import { pipelineFlags } from "./common_flags.ts"
import { formatReasons, formatTable } from "./table.ts"
import { writeError, writeOut } from "./terminal.ts"

/** `espalier plan FILE`. */
export const makePlanCommand = <R>(application: Application<R>) =>
  Command.make(
    "plan",
    {
      file: Argument.String("FILE").pipe(Argument.withDescription("a pipeline file")),
      ...pipelineFlags,
    },
    Effect.fnUntraced(function* ({ file, ...options }) {
      const pipeline = yield* loadWithFlags(application, file, options)
      const planned = yield* planPipeline(pipeline, { packages: application.packages() }).pipe(
        provideWithFlags(application, { ...options, onlyLook: true }),
        Effect.provideService(Notices, {
          report: (message) => writeError(`note: ${message}\n`),
        }),
      )
      if (options.json) {
        const steps = Object.fromEntries(
          planned.map(({ id, use, cache, reasons, key }) => [
            id,
            { use, cache, reasons, key: key ?? null },
          ]),
        )
        return yield* writeOut(`${JSON.stringify({ name: pipeline.name, steps }, null, 2)}\n`)
      }
      const table = formatTable([
        ["step", "use", "cache", "why"],
        ...planned.map(({ id, use, cache, reasons }) => [id, use, cache, formatReasons(reasons)]),
      ])
      yield* writeOut(`${table}\n`)
    }),
  ).pipe(Command.withDescription("Say what would run and why; nothing runs"))
