// Everything of Effect that is marked unstable, and the driver of the database, in this one file.
import * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as PgClient from "@effect/sql-pg/PgClient"
import {
  Cause,
  Context,
  Effect,
  Exit,
  Layer,
  Logger,
  Option,
  Queue,
  type Redacted,
  Schedule,
  Schema,
} from "effect"
import * as ClusterWorkflowEngine from "effect/cluster/ClusterWorkflowEngine"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as DurableDeferred from "effect/workflow/DurableDeferred"
import * as Workflow from "effect/workflow/Workflow"
import type { WorkflowEngine } from "effect/workflow/WorkflowEngine"
import { scrub, withoutPassword } from "./database_url.ts"
import { ClusterUnavailable } from "./errors.ts"
import { StoredFile } from "./job.ts"
import { StepFailure } from "./step_failure.ts"

/** What travels of a step: hashes. */
export const Submission = Schema.Struct({
  /** The step's name in its pipeline, for people. */
  id: Schema.String,
  /** The step's key. */
  key: Schema.String,
  /** How often it was asked for before and ended. */
  attempt: Schema.Int,
  /** Where the store has the job. */
  job: StoredFile,
})
export type Submission = typeof Submission.Type

/** What a worker tells of a step while it does it. */
export const Told = Schema.Union([
  Schema.TaggedStruct("Progress", {
    task: Schema.String,
    completed: Schema.Finite,
    total: Schema.optionalKey(Schema.Finite),
    unit: Schema.optionalKey(Schema.String),
    note: Schema.optionalKey(Schema.String),
  }),
  Schema.TaggedStruct("Notice", { message: Schema.String }),
])
export type Told = typeof Told.Type

const Broadcast = Schema.fromJsonString(Schema.Struct({ execution: Schema.String, told: Told }))
const channel = "espalier_step"
/** The database takes less than 8000 bytes at once. */
const broadcastLimit = 7900

const RunStep = Workflow.make("EspalierStep", {
  payload: Submission,
  error: StepFailure,
  idempotencyKey: ({ key, attempt }) => `${key}/${attempt}`,
})

/** Is settled by the worker that did the step. */
const settled = DurableDeferred.make("settled", { error: StepFailure })

const QueuedStep = Schema.Struct({
  token: DurableDeferred.Token,
  execution: Schema.String,
  submission: Submission,
})

/** Workers that may be lost over one step before it is given up. */
const maximumLosses = 5

const stepQueue = PersistedQueue.make({
  name: "EspalierStep",
  schema: QueuedStep,
  // What is taken too often is told by whoever takes it next; a queue that drops it would tell nobody.
  maxAttempts: 1000,
})

/** How soon the loss of a worker is noticed. Take-over is at most these two times apart. */
const times = {
  /** A step that its worker did not ask for again for so long is another's. */
  lockExpiration: 5000,
  lockRefreshInterval: 1000,
  /** How often an idle worker looks for steps. */
  queuePoll: 250,
  /** The same for what a worker has in the engine; the event loop of a worker is never busy for long. */
  shardLockExpiration: 6000,
  shardLockRefresh: 1500,
  /** How often runners look after each other, and for what was left. */
  healthCheck: 2000,
  assignments: 1000,
}

/** How a step ended. */
export type Outcome =
  | { readonly _tag: "Done" }
  | { readonly _tag: "Failed"; readonly failure: StepFailure }
  /** The engine itself stumbled; whether the step was done the store knows. */
  | { readonly _tag: "Lost"; readonly detail: string }

/** A step that a worker was given. */
export interface Task {
  readonly execution: string
  readonly submission: Submission
  /** How many workers were lost over it. */
  readonly losses: number
}

/** Where a worker is found by the others. */
export interface WorkerAddress {
  readonly host: string
  readonly port: number
}

/** The part of the engine that a run and a worker need; see {@link stepEngine}. */
export class StepEngine extends Context.Service<
  StepEngine,
  {
    /** Hands a step in; the same key and attempt are handed in once. Gives the name of the execution. */
    readonly submit: (submission: Submission) => Effect.Effect<string, ClusterUnavailable>
    /** The name that an execution has or would have. */
    readonly executionOf: (submission: Submission) => Effect.Effect<string>
    /** How an execution ended; none where it goes on or was never handed in. */
    readonly outcome: (
      execution: string,
    ) => Effect.Effect<Option.Option<Outcome>, ClusterUnavailable>
    /** Does steps for ever, `concurrency` at a time. What `work` gives is how the step ended. */
    readonly serve: (
      work: (task: Task, slot: number) => Effect.Effect<StepFailure | undefined>,
      concurrency: number,
    ) => Effect.Effect<never>
    /** Tells whoever listens what happens in a step. Nobody may be listening: nothing is kept. */
    readonly tell: (execution: string, told: Told) => Effect.Effect<void>
    /** Hears what is told of all steps, until interrupted; what is told while the database is away is lost. */
    readonly hear: (
      heard: (execution: string, told: Told) => Effect.Effect<void>,
    ) => Effect.Effect<never>
    /** Whether the database answers. */
    readonly ping: Effect.Effect<void, ClusterUnavailable>
  }
>()("@espalier/cluster/StepEngine") {}

const unavailable = (url: Redacted.Redacted) => (cause: Cause.Cause<unknown>) => {
  const error = Cause.squash(cause)
  return new ClusterUnavailable({
    url: withoutPassword(url),
    detail: scrub(url, deepest(error)).split("\n")[0],
    hint: "check that PostgreSQL runs and takes connections there, and the address in --database or ESPALIER_DATABASE",
  })
}

/** What the innermost cause says: the driver's own words. */
const deepest = (error: unknown): string => {
  for (let at = error, depth = 0; ; depth++) {
    const inner: unknown =
      typeof at === "object" && at !== null
        ? "reason" in at && typeof at.reason === "object"
          ? at.reason
          : "cause" in at
            ? at.cause
            : undefined
        : undefined
    if (inner === undefined || inner === null || depth > 8) {
      return at instanceof Error && at.message !== "" ? at.message : String(at)
    }
    at = inner
  }
}

/** Whoever asks is told of a database that does not answer; an interruption stays one. */
const orUnavailable =
  (url: Redacted.Redacted) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, ClusterUnavailable, R> =>
    Effect.catchCause(effect, (cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.failCause(cause as Cause.Cause<never>)
        : Effect.fail(unavailable(url)(cause)),
    )

const handleStep = RunStep.toLayer(
  Effect.fnUntraced(function* (submission, execution) {
    const queue = yield* stepQueue
    const token = yield* DurableDeferred.token(settled)
    yield* queue
      .offer({ token, execution, submission }, { id: execution })
      .pipe(Effect.retry(Schedule.spaced(500)), Effect.orDie)
    return yield* DurableDeferred.await(settled)
  }),
)

const lostTooOften = (losses: number): StepFailure => ({
  tag: "WorkersLost",
  message: `${losses} workers were lost while they did the step`,
  hint: "see what ended them: often memory; run again with fewer steps at a time",
})

const makeStepEngine = Effect.fnUntraced(function* (url: Redacted.Redacted) {
  const services = yield* Effect.context<WorkflowEngine | PersistedQueue.PersistedQueueFactory>()
  const sql = yield* PgClient.PgClient
  const queue = yield* stepQueue
  const guard = orUnavailable(url)

  const settle = (task: typeof QueuedStep.Type, failure: StepFailure | undefined) =>
    DurableDeferred.done(settled, {
      token: task.token,
      exit: failure === undefined ? Exit.void : Exit.fail(failure),
    }).pipe(
      guard,
      // While the database is away the result waits here; it is in the store already.
      Effect.retry(Schedule.spaced(500)),
    )

  return StepEngine.of({
    submit: (submission) =>
      RunStep.execute(submission, { discard: true }).pipe(Effect.provide(services), guard),
    executionOf: (submission) => RunStep.executionId(submission),
    outcome: (execution) =>
      RunStep.poll(execution).pipe(
        Effect.map((result): Option.Option<Outcome> => {
          if (Option.isNone(result) || result.value._tag === "Suspended") return Option.none()
          const { exit } = result.value
          if (Exit.isSuccess(exit)) return Option.some({ _tag: "Done" })
          const failure = exit.cause.reasons.find(Cause.isFailReason)?.error
          return Option.some(
            failure === undefined
              ? { _tag: "Lost", detail: scrub(url, deepest(Cause.squash(exit.cause))) }
              : { _tag: "Failed", failure },
          )
        }),
        Effect.provide(services),
        guard,
      ),
    serve: (work, concurrency) => {
      const takeOne = (slot: number) =>
        queue
          .take((queued, { attempts }) => {
            const { execution, submission } = queued
            const losses = attempts - 1
            const ended =
              losses >= maximumLosses
                ? Effect.succeed(lostTooOften(losses))
                : work({ execution, submission, losses }, slot)
            return Effect.flatMap(ended, (failure) => settle(queued, failure))
          })
          .pipe(
            Effect.provide(services),
            guard,
            Effect.catch(() => Effect.sleep(500)),
          )
      const slots = Array.from({ length: concurrency }, (_, slot) => Effect.forever(takeOne(slot)))
      return Effect.andThen(Effect.all(slots, { concurrency, discard: true }), Effect.never)
    },
    tell: (execution, told) =>
      Effect.suspend(() => {
        const text = Schema.encodeSync(Broadcast)({ execution, told })
        return Buffer.byteLength(text) > broadcastLimit ? Effect.void : sql.notify(channel, text)
      }).pipe(guard, Effect.ignore),
    hear: (heard) =>
      Effect.scoped(
        Effect.gen(function* () {
          const notifications = yield* sql.listen(channel)
          return yield* Effect.forever(
            Effect.gen(function* () {
              const { payload } = yield* Queue.take(notifications)
              const message = Schema.decodeUnknownOption(Broadcast)(payload)
              if (Option.isSome(message)) yield* heard(message.value.execution, message.value.told)
            }),
          )
        }),
      ).pipe(guard, Effect.retry(Schedule.spaced(1000)), Effect.orDie),
    ping: guard(Effect.asVoid(sql`SELECT 1`)),
  })
})

/**
 * Effect's engine on a PostgreSQL: the tables are made where they are missing. With an address this
 * process takes part in looking after executions; without one it only hands in and asks.
 *
 * Fails with `ClusterUnavailable` where the database cannot be reached at the beginning; later it is
 * waited for.
 */
export const stepEngine = (
  url: Redacted.Redacted,
  address?: WorkerAddress,
): Layer.Layer<StepEngine, ClusterUnavailable> => {
  const database = PgClient.layer({
    url,
    maxConnections: 8,
    connectTimeout: 5000,
    applicationName: "espalier",
  })
  const sockets = NodeClusterSocket.layer({
    clientOnly: address === undefined,
    shardingConfig: {
      runnerAddress: Option.map(Option.fromUndefinedOr(address), (at) =>
        RunnerAddress.RunnerAddress.make(at),
      ),
      runnerHealthCheckInterval: times.healthCheck,
      shardLockExpiration: times.shardLockExpiration,
      shardLockRefreshInterval: times.shardLockRefresh,
      refreshAssignmentsInterval: times.assignments,
      entityMessagePollInterval: times.assignments,
      entityTerminationTimeout: 15_000,
    },
  })
  const queue = PersistedQueue.layer.pipe(
    Layer.provide(
      PersistedQueue.layerStoreSql({
        tableName: "espalier_steps",
        pollInterval: times.queuePoll,
        lockExpiration: times.lockExpiration,
        lockRefreshInterval: times.lockRefreshInterval,
      }),
    ),
  )
  const engine = Layer.merge(ClusterWorkflowEngine.layer.pipe(Layer.provide(sockets)), queue)
  const handler = address === undefined ? Layer.empty : handleStep
  return Layer.effect(StepEngine, makeStepEngine(url)).pipe(
    Layer.provide(handler),
    Layer.provide(engine),
    Layer.provide([database, NodeCrypto.layer]),
    // What the engine logs of a database that is away is for nobody: those who wait are told.
    Layer.provide(Logger.layer([])),
    Layer.catchCause((cause) => Layer.effect(StepEngine, Effect.fail(unavailable(url)(cause)))),
  )
}
