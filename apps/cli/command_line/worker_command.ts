import type { WorkerEvent } from "@espalier/cluster"
import { Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { resolve } from "node:path"
import {
  type Application,
  type DeviceChoice,
  type Platform,
  provideWithFlags,
} from "./application.ts"
import { commonFlags } from "./common_flags.ts"
import { databaseFlag, databaseUrl } from "./executor_flags.ts"
import { remoteFlag } from "./remote_flag.ts"
import { errorLines } from "./report_error.ts"
import { formatSeconds } from "./table.ts"
import { writeError } from "./terminal.ts"
import { workspaceRoot } from "./workspace.ts"

/** Says to a process that was started by a worker that it is to do steps. */
const hostVariable = "ESPALIER_STEP_HOST"

const Port = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }))
const Count = Schema.Int.check(Schema.isGreaterThan(0))

const describe = (event: WorkerEvent): string => {
  switch (event._tag) {
    case "Ready": {
      const { host, port } = event.address
      return `ready at ${host}:${port}, ${event.concurrency} at a time\n`
    }
    case "StepTaken": {
      const again = event.losses === 0 ? "" : `, taken over (${event.losses})`
      return `${event.id}: begun${again}\n`
    }
    case "StepEnded": {
      const { id, seconds, failure } = event
      if (failure === undefined) return `${id}: done in ${formatSeconds(seconds)}\n`
      return `${id}: failed after ${formatSeconds(seconds)}\n${errorLines(failure.message, failure.hint ?? "")}`
    }
    case "DatabaseLost":
      return `${event.error.message}; waiting for it\n`
    case "DatabaseBack":
      return "the database is back\n"
  }
}

/** Does the steps that the worker which started this process hands to it. */
const hostProcess = Effect.fnUntraced(function* <R>(
  application: Application<R>,
  device: DeviceChoice,
  store: string,
  remote: Option.Option<string>,
) {
  const { hostSteps, runStepHost } = yield* Effect.promise(() => import("@espalier/cluster"))
  const platform = yield* Effect.context<Platform>()
  const host = { steps: application.steps, packages: application.packages() }
  const options = { device, store: Option.some(store), remote }
  yield* Effect.promise(() =>
    runStepHost(
      hostSteps(host).pipe(provideWithFlags(application, options), Effect.provide(platform)),
    ),
  )
})

/** `espalier worker`. */
export const makeWorkerCommand = <R>(application: Application<R>) =>
  Command.make(
    "worker",
    {
      database: databaseFlag,
      store: commonFlags.store,
      remote: remoteFlag,
      device: commonFlags.device,
      concurrency: Flag.Int("concurrency").pipe(
        Flag.withSchema(Count),
        Flag.withDescription("steps at a time, each in a process of its own"),
        Flag.withDefault(1),
      ),
      host: Flag.String("host").pipe(
        Flag.withDescription("where other workers reach this one; trust everybody who can"),
        Flag.withDefault("127.0.0.1"),
      ),
      port: Flag.Int("port").pipe(
        Flag.withSchema(Port),
        Flag.withDescription("default: a free one"),
        Flag.optional,
      ),
    },
    Effect.fnUntraced(function* (flags) {
      const { device, concurrency, host, port } = flags
      const store = resolve(
        Option.getOrElse(flags.store, () => `${workspaceRoot(process.cwd())}/.espalier`),
      )
      if (process.env[hostVariable] === "1" && process.send !== undefined) {
        return yield* hostProcess(application, device, store, flags.remote)
      }
      const database = yield* databaseUrl(flags.database)
      const { runWorker } = yield* Effect.promise(() => import("@espalier/cluster"))
      return yield* runWorker({
        database,
        process: {
          module: process.argv[1],
          arguments: [
            "worker",
            "--store",
            store,
            "--device",
            device,
            ...Option.match(flags.remote, { onNone: () => [], onSome: (at) => ["--remote", at] }),
          ],
          environment: { ...process.env, [hostVariable]: "1" },
        },
        concurrency,
        host,
        ...(Option.isSome(port) ? { port: port.value } : {}),
        onEvent: (event) => writeError(describe(event)),
      })
    }),
  ).pipe(Command.withDescription("Do steps of runs with --executor cluster, until interrupted"))
