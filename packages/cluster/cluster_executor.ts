import {
  Executor,
  type ExecutorService,
  type RunEvent,
  type StepJob,
  Store,
  type StoreEntry,
  type TaggedFailure,
} from "@espalier/pipeline"
import type { FileSystem, Path } from "effect"
import { Effect, Layer, Option, type Redacted, Schedule } from "effect"
import { withoutPassword } from "./database_url.ts"
import { type Outcome, StepEngine, stepEngine, type Submission, type Told } from "./engine.ts"
import { ClusterUnavailable, sameStore, StoreNotShared } from "./errors.ts"
import { jobText, type PathInput } from "./job.ts"
import { keepPathInput } from "./path_inputs.ts"
import { failAs } from "./step_failure.ts"

/** How a run reaches its workers. */
export interface ClusterOptions {
  /** The address of the database: `postgres://user:password@host:port/database`. */
  readonly database: Redacted.Redacted
  /** How long a database that went away is waited for, in milliseconds; ten minutes. */
  readonly patience?: number
}

/** How often the engine is asked how a step ended, in milliseconds. */
const askEvery = 200

/** Executions of one step that the engine itself may lose before a run gives up. */
const maximumLost = 5

/** The JSON of a job and the files that it reads, in the store for the workers. */
const keepJob = Effect.fnUntraced(function* <R>(
  job: StepJob<R>,
  keepPath: (location: string, expected: string | undefined) => ReturnType<typeof keepPathInput>,
) {
  const store = yield* Store
  const paths: Record<string, PathInput> = {}
  for (const [name, location] of Object.entries(job.planned.paths)) {
    paths[name] = yield* keepPath(location, job.fileHashes.get(location))
  }
  const before = yield* store.lookupNewest(job.key)
  const replaces = before._tag === "Hit" ? before.entry.finished : null
  const text = new TextEncoder().encode(jobText(job, paths, replaces))
  return (yield* store.putFiles({ job: text })).job
})

/** Keeps each path once in the life of an executor. */
const makePathKeeper = () => {
  const kept = new Map<string, PathInput>()
  return (location: string, expected: string | undefined): ReturnType<typeof keepPathInput> =>
    Effect.suspend(() => {
      const name = `${location}\0${expected ?? ""}`
      const known = kept.get(name)
      if (known !== undefined) return Effect.succeed(known)
      return Effect.tap(keepPathInput(location, expected), (input) =>
        Effect.sync(() => kept.set(name, input)),
      )
    })
}

const toEvent = (id: string, told: Told): RunEvent => {
  if (told._tag === "Notice") return { _tag: "StepNotice", id, message: told.message }
  const { _tag, ...update } = told
  return { _tag: "StepProgress", id, update }
}

const makeExecutor = Effect.fnUntraced(function* ({
  database,
  patience = 600_000,
}: ClusterOptions) {
  const engine = yield* StepEngine
  const files = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
  const keepPath = makePathKeeper()
  const listeners = new Map<string, (told: Told) => Effect.Effect<void>>()
  yield* Effect.forkScoped(
    engine.hear((execution, told) => listeners.get(execution)?.(told) ?? Effect.void),
  )

  /** Asks again while the database is away. */
  const patiently = <A>(ask: Effect.Effect<A, ClusterUnavailable>) =>
    Effect.retry(ask, Schedule.spaced(500).pipe(Schedule.upTo({ duration: patience })))

  const waitFor = Effect.fnUntraced(function* (execution: string) {
    for (;;) {
      const outcome = yield* patiently(engine.outcome(execution))
      if (Option.isSome(outcome)) return outcome.value
      yield* Effect.sleep(askEvery)
    }
  })

  /** Joins the execution that is going on, or begins the next one. */
  const submit = Effect.fnUntraced(function* (asked: Submission) {
    let submission = asked
    for (;;) {
      const execution = yield* engine.executionOf(submission)
      if (Option.isNone(yield* patiently(engine.outcome(execution)))) {
        return { submission, execution: yield* patiently(engine.submit(submission)) }
      }
      submission = { ...submission, attempt: submission.attempt + 1 }
    }
  })

  const conclude = Effect.fnUntraced(function* (key: string, outcome: Outcome) {
    if (outcome._tag === "Failed") return yield* failAs(outcome.failure)
    const store = yield* Store
    // A folder on another machine may show what was renamed into it a moment later.
    for (let look = 0; look < 5; look++) {
      const found = yield* store.lookupNewest(key)
      if (found._tag === "Hit") return found.entry
      yield* Effect.sleep(200)
    }
    return yield* new StoreNotShared({
      folder: store.folder,
      detail: "a worker did a step, and its result is not there",
      hint: sameStore,
    })
  })

  const execute = Effect.fnUntraced(function* <R>(job: StepJob<R>) {
    const { id } = job.planned
    const kept = yield* keepJob(job, keepPath).pipe(Effect.provide(files))
    const told = new Set(job.notices)
    const say = (event: RunEvent) =>
      Effect.suspend(() => {
        if (event._tag !== "StepNotice") return job.emit(event)
        if (told.has(event.message)) return Effect.void
        told.add(event.message)
        return job.emit(event)
      })
    let submission: Submission = { id, key: job.key, attempt: 0, job: kept }
    for (let lost = 0; ; lost++) {
      const submitted = yield* submit(submission)
      submission = submitted.submission
      const { execution } = submitted
      listeners.set(execution, (message) => say(toEvent(id, message)))
      const outcome = yield* waitFor(execution).pipe(
        Effect.ensuring(Effect.sync(() => listeners.delete(execution))),
      )
      if (outcome._tag === "Lost") {
        if (lost < maximumLost) continue
        const url = withoutPassword(database)
        const hint = "run again; if it stays so, look after the database"
        return yield* new ClusterUnavailable({ url, detail: outcome.detail, hint })
      }
      const entry = yield* conclude(job.key, outcome)
      // What was told while nobody could hear it.
      for (const message of entry.notices) yield* say({ _tag: "StepNotice", id, message })
      return entry
    }
  })

  const service: ExecutorService = {
    name: "cluster",
    execute: <R>(job: StepJob<R>) =>
      // What it needs of R it needs where the step is done.
      execute(job) satisfies Effect.Effect<StoreEntry, TaggedFailure | StoreNotShared, Store>,
  }
  return service
})

/**
 * Hands the steps of a run to workers (see `runWorker`) that have the same code, the same kind of
 * device and the same store. Hashes travel; files that steps read are put into the store.
 *
 * A run that ends early leaves the steps that it handed in to the workers; the next run of the same
 * pipeline joins them.
 *
 * Fails with `ClusterUnavailable` where the database cannot be reached.
 *
 * @example
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { Effect, Layer, Redacted } from "effect"
 * import { clusterExecutor } from "@espalier/cluster"
 * import { type Pipeline, runPipeline } from "@espalier/pipeline"
 *
 * const database = Redacted.make("postgres://espalier@127.0.0.1:5432/espalier")
 * const onWorkers = (pipeline: Pipeline) =>
 *   runPipeline(pipeline, { packages: {}, jobs: 3 }).pipe(
 *     Effect.provide(clusterExecutor({ database }).pipe(Layer.provide(NodeServices.layer))),
 *   )
 * ```
 */
export const clusterExecutor = (
  options: ClusterOptions,
): Layer.Layer<never, ClusterUnavailable, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(Executor, makeExecutor(options)).pipe(Layer.provide(stepEngine(options.database)))
