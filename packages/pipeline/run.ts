import { Notices } from "@espalier/runtime"
import { Cause, Clock, DateTime, Effect, Exit, type FileSystem, type Path } from "effect"
import { type JsonObject, toJson } from "./canonical_json.ts"
import { describeCause } from "./describe_cause.ts"
import { Executor } from "./executor.ts"
import type { InputFileUnreadable } from "./input_file.ts"
import { jobValues, makeInputReader } from "./input_reader.ts"
import { rememberMadeFrom } from "./explain_miss.ts"
import { hashInputFiles, inspectStep } from "./inspect_step.ts"
import { makeMemoryWatch } from "./memory_watch.ts"
import { openOutputFolder, type OutputFolderError } from "./output_folder.ts"
import type { Pipeline, PipelineStep } from "./pipeline.ts"
import { readPipelineCode } from "./code/pipeline_code.ts"
import { PipelineDevice } from "./pipeline_device.ts"
import type { RunEvent } from "./run_event.ts"
import { makeManifest, type RunRecord, type StepProvenance, type StepRecord } from "./run_record.ts"
import { makeRunLog } from "./run_log.ts"
import { runTasks } from "./schedule.ts"
import { type Selection, selectSteps, type StepNotFound } from "./select_steps.ts"
import { Store } from "./store.ts"
import type { StoreEntry } from "./store_entry.ts"
import type { StoreError } from "./store_error.ts"

/** How to run a pipeline. */
export interface RunOptions extends Selection {
  /** The versions of the packages that results depend on: in the manifest, and in keys for code that cannot be read. */
  readonly packages: Readonly<Record<string, string>>
  /** What else the manifest says about the machine, e.g. `{ node: process.version }`. */
  readonly environment?: JsonObject
  /** A folder that receives manifest, results and the files of the steps. */
  readonly out?: string
  /** Steps that may run at the same time; 1. */
  readonly jobs?: number
  /** Whether steps that do not need a failed one still run; true. */
  readonly keepGoing?: boolean
  /** How the run was asked for, to ask for it again: kept as `run.json` from its beginning on. */
  readonly request?: JsonObject
  /** Is told what happens, in order. */
  readonly onEvent?: (event: RunEvent) => Effect.Effect<void>
}

const nothing = { seconds: 0, metrics: {}, dispatches: 0, hostFallbacks: [], notices: [] }

/** Two characters for a number below 1296. */
const twoLetters = (value: number): string => value.toString(36).padStart(2, "0")

/** Names sort by the time of their beginning, to the millisecond; the last two letters tell apart. */
const newRunName = Effect.map(DateTime.now, (now) => {
  const [date, milliseconds] = DateTime.formatIso(now).replace("Z", "").split(".")
  const [random] = crypto.getRandomValues(new Uint16Array(1))
  const suffix = twoLetters(Number(milliseconds ?? 0)) + twoLetters(random % 1296)
  return `${date.replace(/[-:]/g, "").replace("T", "-")}-${suffix}`
})

/**
 * Runs a pipeline: each step whose result the store does not have, once what it needs is there, as
 * many at a time as `jobs` says. A result is kept as soon as it is there. Where a step fails, those
 * that need it are skipped and the others go on; the record says so. An interruption leaves nothing
 * half written, and the next run goes on from what is kept.
 *
 * Fails only where the store, the output folder or an input file does, or a step is asked for that is
 * not there; a failed step is in the record.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { type Pipeline, runPipeline } from "@espalier/pipeline"
 *
 * const perplexity = (pipeline: Pipeline) =>
 *   Effect.map(runPipeline(pipeline, { packages: {} }), (record) => record.steps.ppl.metrics.perplexity)
 * ```
 */
export const runPipeline = <R>(
  pipeline: Pipeline<R>,
  options: RunOptions,
): Effect.Effect<
  RunRecord,
  StoreError | OutputFolderError | InputFileUnreadable | StepNotFound,
  R | Store | PipelineDevice | FileSystem.FileSystem | Path.Path
> =>
  Effect.gen(function* () {
    const store = yield* Store
    const device = yield* PipelineDevice
    const executor = yield* Executor
    const { keepGoing = true, jobs = 1 } = options
    const { ids, anew } = yield* Effect.fromResult(selectSteps(pipeline, options))
    const steps = pipeline.steps.filter(({ id }) => ids.has(id))
    const out = options.out === undefined ? undefined : yield* openOutputFolder(options.out)
    const run = yield* newRunName
    const started = DateTime.formatIso(yield* DateTime.now)
    const keep = yield* makeRunLog(run)
    const { onEvent = () => Effect.void } = options
    const emit = (event: RunEvent) => Effect.andThen(keep(event), onEvent(event))
    const request = { ...options.request, run, name: pipeline.name, started, process: process.pid }
    yield* store.writeRunFile(run, "run.json", `${JSON.stringify(request, null, 2)}\n`)
    const dispatchesBefore = device.dispatches()
    const [code, codeNotices] = yield* Notices.collect(
      readPipelineCode({ steps }, options.packages),
    )
    const inputFiles = yield* hashInputFiles(pipeline)
    const fileHashes = new Map(inputFiles.map(({ path, sha256 }) => [path, sha256]))
    const total = steps.length
    const records = new Map<string, StepRecord>()
    const provenance = new Map<string, StepProvenance>()
    const results = new Map<string, StoreEntry>()
    const reader = makeInputReader(steps)
    const watchMemory = makeMemoryWatch()
    let failedStep: string | undefined

    const finish = Effect.fnUntraced(function* (interrupted: boolean) {
      const told = steps.map(({ id, step }): [string, StepRecord] => [
        id,
        records.get(id) ?? { ...nothing, use: step.use, status: "skipped", reason: "interrupted" },
      ])
      const failed = told.some(([, step]) => step.status === "failed")
      const { kind, adapter, software } = device
      const record: RunRecord = {
        run,
        name: pipeline.name,
        status: interrupted ? "interrupted" : failed ? "failed" : "done",
        device: { kind, adapter, software, dispatches: device.dispatches() - dispatchesBefore },
        ...(codeNotices.length === 0 ? {} : { notices: codeNotices }),
        steps: Object.fromEntries(told),
      }
      const manifest = makeManifest({
        record,
        file: pipeline.file,
        document: pipeline.document,
        seed: pipeline.seed,
        inputs: inputFiles,
        code,
        packages: options.packages,
        environment: options.environment ?? {},
        device,
        started,
        finished: DateTime.formatIso(yield* DateTime.now),
        provenance,
      })
      const texts = [
        ["manifest.json", `${JSON.stringify(toJson(manifest), null, 2)}\n`],
        ["results.json", `${JSON.stringify(record, null, 2)}\n`],
      ] as const
      let folder = store.folder
      for (const [name, text] of texts) {
        const file = yield* store.writeRunFile(run, name, text)
        folder = file.slice(0, -name.length - 1)
        if (out !== undefined) yield* out.writeText(name, text)
      }
      yield* emit({ _tag: "RunFinished", record, folder: out?.path ?? folder })
      return record
    })

    const compute = Effect.fnUntraced(function* (planned: PipelineStep<R>, index: number) {
      const found = yield* inspectStep(pipeline, planned, { code, fileHashes, results })
      const { key, made } = found
      const isAnew = found.entry !== undefined && anew.has(planned.id)
      const reasons = isAnew ? ["asked for anew"] : found.reasons
      provenance.set(planned.id, { key, made, reasons, entry: found.entry })
      if (found.entry !== undefined && !isAnew) {
        yield* rememberMadeFrom(pipeline.name, planned.id, made, code)
        return { entry: found.entry, cached: true, peakMemory: undefined }
      }
      const { id, step } = planned
      yield* emit({ _tag: "StepStarted", id, use: step.use, index, steps: total, reasons })
      const notices =
        found.damage === undefined
          ? []
          : [`the cached result was damaged (${found.damage}) and is computed anew`]
      for (const message of notices) yield* emit({ _tag: "StepNotice", id, message })
      const values = jobValues(planned, results)
      const inputs = reader.read(planned, values)
      const seed = pipeline.seed
      const job = { planned, key, made, seed, values, fileHashes, inputs, notices, emit }
      const [entry, peakMemory] = yield* watchMemory(executor.execute(job))
      yield* rememberMadeFrom(pipeline.name, id, made, code)
      provenance.set(id, { key, made, reasons, entry })
      return { entry, cached: false, peakMemory }
    })

    const runStep = Effect.fnUntraced(function* (planned: PipelineStep<R>, index: number) {
      const { id, step, needs } = planned
      const began = yield* Clock.currentTimeMillis
      const settle = (record: StepRecord, cause?: Cause.Cause<unknown>) => {
        records.set(id, record)
        reader.forget(planned)
        return emit({ _tag: "StepFinished", id, index, steps: total, record, cause })
      }
      const skip = (reason: string) =>
        settle({ ...nothing, use: step.use, status: "skipped", reason })
      const missing = needs.filter((needed) => !results.has(needed))
      if (missing.length > 0) return yield* skip(`needs ${missing.join(" and ")}`)
      if (!keepGoing && failedStep !== undefined) return yield* skip(`${failedStep} failed`)
      const exit = yield* Effect.exit(compute(planned, index))
      const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
      if (Exit.isFailure(exit)) {
        if (Cause.hasInterrupts(exit.cause)) return yield* Effect.interrupt
        const error = describeCause(exit.cause)
        failedStep ??= id
        return yield* settle(
          { ...nothing, use: step.use, status: "failed", seconds, error },
          exit.cause,
        )
      }
      const { entry, cached, peakMemory } = exit.value
      results.set(id, entry)
      if (out !== undefined) yield* out.addStep(id, entry)
      return yield* settle({
        use: step.use,
        status: cached ? "cached" : "done",
        seconds,
        metrics: entry.metrics,
        dispatches: cached ? 0 : entry.dispatches,
        hostFallbacks: entry.hostFallbacks,
        notices: entry.notices,
        ...(peakMemory === undefined ? {} : { peakMemory }),
      })
    })

    yield* emit({ _tag: "RunStarted", run, name: pipeline.name, steps: total })
    for (const message of codeNotices) yield* emit({ _tag: "RunNotice", message })
    const places = new Map(steps.map(({ id }, task) => [id, task]))
    const needs = steps.map((step) => step.needs.map((needed) => places.get(needed)!))
    yield* runTasks(needs, jobs, (task) => runStep(steps[task], task + 1)).pipe(
      Effect.onInterrupt(() => Effect.ignore(finish(true))),
    )
    return yield* finish(false)
  }).pipe(Effect.scoped)
