import type { TaggedFailure } from "@espalier/pipeline"
import { Clock, Deferred, Effect, type Redacted } from "effect"
import { createServer } from "node:net"
import { join } from "node:path"
import { stepEngine, StepEngine, type Task, type WorkerAddress } from "./engine.ts"
import { AddressUnavailable, type ClusterUnavailable } from "./errors.ts"
import { makeWorkFolder } from "./work_folder.ts"
import { failAs, type StepFailure } from "./step_failure.ts"
import { makeStepProcess, type StepProcessCommand } from "./step_process.ts"

/** What a worker tells of itself. */
export type WorkerEvent =
  /** It takes steps from now on. */
  | { readonly _tag: "Ready"; readonly address: WorkerAddress; readonly concurrency: number }
  | {
      readonly _tag: "StepTaken"
      readonly id: string
      readonly key: string
      readonly losses: number
    }
  | {
      readonly _tag: "StepEnded"
      readonly id: string
      readonly key: string
      readonly seconds: number
      readonly failure: StepFailure | undefined
    }
  | { readonly _tag: "DatabaseLost"; readonly error: ClusterUnavailable }
  | { readonly _tag: "DatabaseBack" }

/** How to run a worker. */
export interface WorkerOptions {
  /** The address of the database: `postgres://user:password@host:port/database`. */
  readonly database: Redacted.Redacted
  /** How to start the processes that do the steps: a module that calls `hostSteps`. */
  readonly process: StepProcessCommand
  /** Steps at a time, each in a process of its own; 1. */
  readonly concurrency?: number
  /** Where other workers reach this one; 127.0.0.1 and a free port. */
  readonly host?: string
  readonly port?: number
  readonly onEvent?: (event: WorkerEvent) => Effect.Effect<void>
}

/** Makes sure that one can listen there; port 0 stands for a free one. */
const findAddress = (host: string, port: number) =>
  Effect.callback<WorkerAddress, AddressUnavailable>((resume) => {
    const server = createServer()
    server.once("error", ({ message: detail }) => {
      const hint = "give an address of this machine with --host, and another --port or none"
      resume(Effect.fail(new AddressUnavailable({ host, port, detail, hint })))
    })
    server.listen(port, host, () => {
      const address = server.address()
      const found = typeof address === "object" && address !== null ? address.port : port
      server.close(() => resume(Effect.succeed({ host, port: found })))
    })
  })

/** How often the database is asked whether it is there, in milliseconds. */
const pingEvery = 2000

/** Tells when the database goes away and when it is back. */
const watchDatabase = Effect.fnUntraced(function* (
  emit: (event: WorkerEvent) => Effect.Effect<void>,
) {
  const engine = yield* StepEngine
  let there = true
  for (;;) {
    yield* Effect.sleep(pingEvery)
    const error = yield* Effect.match(engine.ping, {
      onFailure: (error) => error,
      onSuccess: () => undefined,
    })
    if (there === (error === undefined)) continue
    there = error === undefined
    yield* emit(error === undefined ? { _tag: "DatabaseBack" } : { _tag: "DatabaseLost", error })
  }
})

/**
 * Does steps of runs that hand them to the cluster, until interrupted. This process itself only keeps
 * the engine going; steps are done in processes of their own, which end with it. Where it is ended,
 * another worker takes its steps over.
 *
 * Fails with `ClusterUnavailable` where the database cannot be reached at the beginning, with
 * `AddressUnavailable` where it cannot listen, and as the processes of the steps do where they cannot
 * start.
 *
 * @example
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { runWorker } from "@espalier/cluster"
 *
 * const worker = runWorker({
 *   database: Redacted.make("postgres://espalier@127.0.0.1:5432/espalier"),
 *   process: { module: "step_host.js" },
 *   onEvent: (event) => Effect.log(event._tag),
 * })
 * console.log(Effect.isEffect(worker)) // true
 * ```
 */
export const runWorker = (
  options: WorkerOptions,
): Effect.Effect<never, ClusterUnavailable | AddressUnavailable | TaggedFailure> =>
  Effect.gen(function* () {
    const { concurrency = 1, host = "127.0.0.1" } = options
    const emit = options.onEvent ?? (() => Effect.void)
    const address = yield* findAddress(host, options.port ?? 0)
    const folder = yield* makeWorkFolder
    const processes = yield* Effect.all(
      Array.from({ length: concurrency }, (_, slot) =>
        makeStepProcess(options.process, join(folder, `${slot}`)),
      ),
      { concurrency },
    ).pipe(Effect.catch(failAs))
    const broken = yield* Deferred.make<never, StepFailure>()
    const serve = Effect.gen(function* () {
      const engine = yield* StepEngine
      const work = Effect.fnUntraced(function* (task: Task, slot: number) {
        const { execution, submission, losses } = task
        const { id, key } = submission
        const began = yield* Clock.currentTimeMillis
        yield* emit({ _tag: "StepTaken", id, key, losses })
        const failure = yield* processes[slot]
          .perform(submission, (told) => engine.tell(execution, told))
          .pipe(
            // It would fail every step that it takes: it ends, and hands this one back.
            Effect.catch((failure) => Effect.andThen(Deferred.fail(broken, failure), Effect.never)),
          )
        const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
        yield* emit({ _tag: "StepEnded", id, key, seconds, failure })
        return failure
      })
      yield* emit({ _tag: "Ready", address, concurrency })
      yield* Effect.forkScoped(watchDatabase(emit))
      return yield* Effect.raceFirst(
        engine.serve(work, concurrency),
        Effect.catch(Deferred.await(broken), failAs),
      )
    })
    return yield* Effect.provide(serve, stepEngine(options.database, address))
  }).pipe(Effect.scoped)
