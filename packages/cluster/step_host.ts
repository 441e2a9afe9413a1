import {
  Executor,
  type JsonObject,
  type PipelineCode,
  PipelineDevice,
  type PipelineStep,
  readJobInputs,
  readPipelineCode,
  type RunEvent,
  sha256Json,
  type Step,
  type StepJob,
  Store,
  type StoreError,
} from "@espalier/pipeline"
import {
  Clock,
  Effect,
  type FileSystem,
  type Path,
  type PlatformError,
  Queue,
  Schema,
} from "effect"
import type { Submission, Told } from "./engine.ts"
import { sameStore, StoreNotShared, WorkerDiffers } from "./errors.ts"
import { decodeJob, type Job, madeOf } from "./job.ts"
import { Order, Report } from "./messages.ts"
import { placePathInput } from "./path_inputs.ts"
import { failureOf } from "./step_failure.ts"
import { watchParent } from "./watch_parent.ts"

/** What a process that does steps has. */
export interface StepHost<R> {
  readonly steps: ReadonlyArray<Step<R>>
  /** The versions of the packages that results depend on, as runs are given them. */
  readonly packages: Readonly<Record<string, string>>
}

/** A step of no pipeline, for its code. */
const asPlanned = <R>(step: Step<R>): PipelineStep<R> => ({
  id: step.use,
  step,
  config: {},
  encodedConfig: {},
  paths: {},
  inputs: {},
  needs: [],
})

/** Progress is handed on once in so many milliseconds. */
const tellEvery = 250

const differs = (use: string, part: string, expected: unknown, found: unknown) => {
  const show = (value: unknown) => {
    const text = typeof value === "string" ? value : JSON.stringify(value)
    return text.length > 60 ? `${text.slice(0, 57)}…` : text
  }
  return new WorkerDiffers({
    use,
    part,
    expected: show(expected),
    found: show(found),
    hint: "start the workers from the code that the run has, with the same --device",
  })
}

/** Reads a job that a run put into the store, and checks that the store is the run's. */
const readJob = Effect.fnUntraced(function* ({ job: file }: Submission) {
  const store = yield* Store
  const { job } = yield* store.readFiles({ job: file }).pipe(
    Effect.mapError(
      ({ detail }) =>
        new StoreNotShared({
          folder: store.folder,
          detail: `the job ${file.sha256.slice(0, 12)} cannot be read: ${detail}`,
          hint: sameStore,
        }),
    ),
  )
  return yield* Effect.mapError(decodeJob(new TextDecoder().decode(job)), (error) =>
    differs("a job", "format", "another", error.message.split("\n")[0]),
  )
})

/** Refuses a step whose result would not be what its key says. */
const checkCode = Effect.fnUntraced(function* <R>(
  step: Step<R>,
  job: Job,
  code: PipelineCode,
  device: PipelineDevice["Service"],
) {
  const { material } = madeOf(job)
  const own: JsonObject = {
    version: step.version,
    code: code.ofStep(step),
    device: step.usesDevice ? { name: device.fingerprint, code: code.ofDevice } : null,
  }
  for (const [part, found] of Object.entries(own)) {
    if (sha256Json(found) === sha256Json(material[part])) continue
    return yield* differs(step.use, part, material[part], found)
  }
  if (sha256Json(material) !== job.key) {
    return yield* differs(step.use, "way to make keys", job.key, sha256Json(material))
  }
})

const makePerformer = Effect.fnUntraced(function* <R>({ steps, packages }: StepHost<R>) {
  const store = yield* Store
  const executor = yield* Executor
  const device = yield* PipelineDevice
  const code = yield* readPipelineCode({ steps: steps.map(asPlanned) }, packages)

  /** Does the step of a submission, unless another worker did it meanwhile. */
  return Effect.fnUntraced(function* (
    { submission, folder }: Order,
    emit: (event: RunEvent) => Effect.Effect<void>,
  ) {
    const job = yield* readJob(submission)
    const step = steps.find(({ use }) => use === job.use)
    if (step === undefined) {
      return yield* differs(job.use, "list of steps", `one with ${job.use}`, "without it")
    }
    yield* checkCode(step, job, code, device)
    const there = yield* store.lookupNewest(job.key)
    if (there._tag === "Hit" && there.entry.finished !== job.replaces) return
    const config = yield* Effect.mapError(
      Schema.decodeUnknownEffect(step.config)(job.config),
      (error) => differs(job.use, "configuration", job.config, error.message.split("\n")[0]),
    )
    const paths: Record<string, string> = {}
    for (const [name, input] of Object.entries(job.paths)) {
      paths[name] = yield* placePathInput(input, folder)
    }
    const { id, values, key, seed, notices } = job
    const encodedConfig = job.config
    const planned: PipelineStep<R> = {
      id,
      step,
      config,
      encodedConfig,
      paths,
      inputs: {},
      needs: [],
    }
    const stepJob: StepJob<R> = {
      planned,
      key,
      made: madeOf(job),
      seed,
      notices,
      emit,
      values,
      fileHashes: new Map(),
      inputs: readJobInputs(planned, values),
    }
    yield* executor.execute(stepJob)
  })
})

const decodeOrder = Schema.decodeUnknownSync(Order)
const encodeReport = Schema.encodeSync(Report)

const send = (report: Report) =>
  Effect.sync(() => {
    // The parent may be gone: then this process is about to be.
    if (process.connected) process.send?.(encodeReport(report))
  })

const toTold = (event: RunEvent): Told | undefined => {
  if (event._tag === "StepNotice") return { _tag: "Notice", message: event.message }
  return event._tag === "StepProgress" ? { _tag: "Progress", ...event.update } : undefined
}

/** Tells notices at once, and progress now and then. */
const makeTeller = () => {
  let last = 0
  return Effect.fnUntraced(function* (event: RunEvent) {
    const told = toTold(event)
    if (told === undefined) return
    if (told._tag === "Progress") {
      const now = yield* Clock.currentTimeMillis
      if (now - last < tellEvery) return
      last = now
    }
    yield* send({ _tag: "Told", told })
  })
}

/**
 * Does the steps that the worker which started this process hands to it, one at a time, and ends with
 * it. The process needs a channel to its parent (`fork`).
 *
 * @example
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { hostSteps } from "@espalier/cluster"
 * import { PipelineDevice, type Step, Store } from "@espalier/pipeline"
 *
 * const device = Layer.succeed(PipelineDevice, {
 *   kind: "wasm", adapter: "none", software: true, dispatches: () => 0, fingerprint: "none",
 * })
 * const steps: ReadonlyArray<Step> = [] // those of the run
 * const host = hostSteps({ steps, packages: {} }).pipe(
 *   Effect.provide(Layer.merge(Store.layer(".espalier"), device)),
 *   Effect.provide(NodeServices.layer),
 * )
 * if (process.send !== undefined) await Effect.runPromise(host)
 * ```
 */
export const hostSteps = <R>(
  host: StepHost<R>,
): Effect.Effect<
  void,
  StoreError | PlatformError.PlatformError,
  R | Store | PipelineDevice | FileSystem.FileSystem | Path.Path
> =>
  Effect.gen(function* () {
    const orders = yield* Queue.unbounded<Order>()
    process.on("message", (message) => void Queue.offerUnsafe(orders, decodeOrder(message)))
    const perform = yield* makePerformer(host)
    yield* send({ _tag: "Ready" })
    for (;;) {
      const order = yield* Queue.take(orders)
      const failure = yield* perform(order, makeTeller()).pipe(
        Effect.as(null),
        Effect.catchCause((cause) => Effect.succeed(failureOf(cause))),
      )
      yield* send({ _tag: "Ended", failure })
    }
  }).pipe(Effect.scoped)

/** Starts to look after the parent, runs a host with all that it needs, and tells why it cannot. */
export const runStepHost = <E>(host: Effect.Effect<void, E>): Promise<void> => {
  watchParent()
  return host.pipe(
    Effect.catchCause((cause) => send({ _tag: "Unable", failure: failureOf(cause) })),
    Effect.runPromise,
  )
}
