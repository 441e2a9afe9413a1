import { Cause, Clock, DateTime, Effect, Exit, type FileSystem, type Path } from "effect"
import { toJson } from "./canonical_json.ts"
import { executeStep, makeInputReader } from "./execute_step.ts"
import type { InputFileUnreadable } from "./input_file.ts"
import { hashInputFiles, inspectStep } from "./inspect_step.ts"
import { openOutputFolder, type OutputFolderError } from "./output_folder.ts"
import type { Pipeline, PipelineStep } from "./pipeline.ts"
import { PipelineDevice } from "./pipeline_device.ts"
import type { RunEvent } from "./run_event.ts"
import {
  makeManifest,
  type RunRecord,
  type StepFailure,
  type StepProvenance,
  type StepRecord,
} from "./run_record.ts"
import { Store } from "./store.ts"
import type { StoreEntry } from "./store_entry.ts"
import type { StoreError } from "./store_error.ts"

/** How to run a pipeline. */
export interface RunOptions {
  /** The versions of the packages that results depend on: part of every key and of the manifest. */
  readonly packages: Readonly<Record<string, string>>
  /** What else the manifest says about the machine, e.g. `{ node: process.version }`. */
  readonly environment?: Readonly<Record<string, string>>
  /** A folder that receives manifest, results and the files of the steps. */
  readonly out?: string
  /** Is told what happens, in order. */
  readonly onEvent?: (event: RunEvent) => Effect.Effect<void>
}

/** Some messages end with the hint, so that they are complete by themselves; here the two are apart. */
const withoutHint = (message: string, hint: string | undefined): string =>
  hint !== undefined && hint !== "" && message.endsWith(hint)
    ? message.slice(0, -hint.length).replace(/[\s.]+$/, "")
    : message

/** What is told of a cause that ended a step. */
export const describeCause = (cause: Cause.Cause<unknown>): StepFailure => {
  const failure = cause.reasons.find(Cause.isFailReason)?.error
  if (failure !== undefined) {
    const { _tag, message, hint } = failure as Partial<Record<string, unknown>>
    const tag = typeof _tag === "string" ? _tag : "Error"
    const told = typeof hint === "string" ? hint : undefined
    return {
      tag,
      message: typeof message === "string" && message !== "" ? withoutHint(message, told) : tag,
      ...(told === undefined ? {} : { hint: told }),
    }
  }
  const defect = Cause.squash(cause)
  const message = defect instanceof Error ? `${defect.name}: ${defect.message}` : String(defect)
  return { tag: "Defect", message: message.split("\n")[0] }
}

const nothing = { seconds: 0, metrics: {}, dispatches: 0, hostFallbacks: [], notices: [] }

const newRunName = Effect.map(
  DateTime.now,
  (now) =>
    `${DateTime.formatIso(now).slice(0, 19).replace(/[-:]/g, "").replace("T", "-")}-${crypto.randomUUID().slice(0, 4)}`,
)

/**
 * Runs a pipeline: each step whose result the store does not have, in order, on one device. A
 * result is kept as soon as it is there. Where a step fails, those that need it are skipped and
 * the others go on; the record says so. An interruption leaves nothing half written, and the next
 * run goes on from what is kept.
 *
 * Fails only where the store, the output folder or an input file does; a failed step is in the record.
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
  StoreError | OutputFolderError | InputFileUnreadable,
  R | Store | PipelineDevice | FileSystem.FileSystem | Path.Path
> =>
  Effect.gen(function* () {
    const store = yield* Store
    const device = yield* PipelineDevice
    const emit = options.onEvent ?? (() => Effect.void)
    const out = options.out === undefined ? undefined : yield* openOutputFolder(options.out)
    const run = yield* newRunName
    const started = DateTime.formatIso(yield* DateTime.now)
    const dispatchesBefore = device.dispatches()
    const inputFiles = yield* hashInputFiles(pipeline)
    const total = pipeline.steps.length
    const records = new Map<string, StepRecord>()
    const provenance = new Map<string, StepProvenance>()
    const results = new Map<string, StoreEntry>()
    const reader = makeInputReader(pipeline.steps)

    const finish = Effect.fnUntraced(function* (interrupted: boolean) {
      const steps = pipeline.steps.map(({ id, step }): [string, StepRecord] => [
        id,
        records.get(id) ?? { ...nothing, use: step.use, status: "skipped", reason: "interrupted" },
      ])
      const failed = steps.some(([, step]) => step.status === "failed")
      const { kind, adapter, software } = device
      const record: RunRecord = {
        run,
        name: pipeline.name,
        status: interrupted ? "interrupted" : failed ? "failed" : "done",
        device: { kind, adapter, software, dispatches: device.dispatches() - dispatchesBefore },
        steps: Object.fromEntries(steps),
      }
      const manifest = makeManifest({
        record,
        file: pipeline.file,
        document: pipeline.document,
        seed: pipeline.seed,
        inputs: inputFiles,
        packages: options.packages,
        environment: options.environment ?? {},
        fingerprint: device.fingerprint,
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
      const found = yield* inspectStep(pipeline, planned, {
        packages: options.packages,
        files: inputFiles,
        results,
      })
      const { key, material, reasons } = found
      provenance.set(planned.id, { key, reasons, entry: found.entry })
      if (found.entry !== undefined) {
        yield* store.putLatest(pipeline.name, planned.id, material)
        return { entry: found.entry, cached: true }
      }
      const { id, step } = planned
      yield* emit({ _tag: "StepStarted", id, use: step.use, index, steps: total, reasons })
      const notices =
        found.damage === undefined
          ? []
          : [`the cached result was damaged (${found.damage}) and is computed anew`]
      for (const message of notices) yield* emit({ _tag: "StepNotice", id, message })
      const entry = yield* executeStep(planned, {
        key,
        seed: pipeline.seed,
        inputs: yield* reader.read(planned, results),
        emit,
        notices,
      })
      yield* store.putLatest(pipeline.name, id, material)
      provenance.set(id, { key, reasons, entry })
      return { entry, cached: false }
    })

    const runStep = Effect.fnUntraced(function* (planned: PipelineStep<R>, index: number) {
      const { id, step, needs } = planned
      const began = yield* Clock.currentTimeMillis
      const settle = (record: StepRecord, cause?: Cause.Cause<unknown>) => {
        records.set(id, record)
        return emit({ _tag: "StepFinished", id, index, steps: total, record, cause })
      }
      const missing = needs.filter((needed) => !results.has(needed))
      if (missing.length > 0) {
        const reason = `needs ${missing.join(" and ")}`
        return yield* settle({ ...nothing, use: step.use, status: "skipped", reason })
      }
      const exit = yield* Effect.exit(compute(planned, index))
      const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
      reader.forget(index)
      if (Exit.isFailure(exit)) {
        if (Cause.hasInterrupts(exit.cause)) return yield* Effect.interrupt
        const error = describeCause(exit.cause)
        return yield* settle(
          { ...nothing, use: step.use, status: "failed", seconds, error },
          exit.cause,
        )
      }
      const { entry, cached } = exit.value
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
      })
    })

    yield* emit({ _tag: "RunStarted", run, name: pipeline.name, steps: total })
    yield* Effect.forEach(pipeline.steps, (step, i) => runStep(step, i + 1), {
      discard: true,
    }).pipe(Effect.onInterrupt(() => Effect.ignore(finish(true))))
    return yield* finish(false)
  })
