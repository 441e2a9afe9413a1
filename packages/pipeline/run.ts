import { Notices } from "@espalier/runtime"
import { DateTime, Effect, type FileSystem, type Path } from "effect"
import type { JsonObject } from "./canonical_json.ts"
import { readPipelineCode } from "./code/pipeline_code.ts"
import { finishRun } from "./finish_run.ts"
import type { InputFileUnreadable } from "./input_file.ts"
import { hashInputFiles } from "./inspect_step.ts"
import { openOutputFolder, type OutputFolderError } from "./output_folder.ts"
import type { Pipeline } from "./pipeline.ts"
import { PipelineDevice } from "./pipeline_device.ts"
import type { RunEvent } from "./run_event.ts"
import { makeRunLog } from "./run_log.ts"
import { newRunName } from "./run_name.ts"
import type { RunRecord } from "./run_record.ts"
import type { RunState } from "./run_state.ts"
import { makeStepRunner } from "./run_step.ts"
import { runTasks } from "./schedule.ts"
import { type Selection, selectSteps, type StepNotFound } from "./select_steps.ts"
import { Store } from "./store.ts"
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
    const { keepGoing = true, jobs = 1, onEvent = () => Effect.void } = options
    const { ids, anew } = yield* Effect.fromResult(selectSteps(pipeline, options))
    const steps = pipeline.steps.filter(({ id }) => ids.has(id))
    const out = options.out === undefined ? undefined : yield* openOutputFolder(options.out)
    const run = yield* newRunName
    const started = DateTime.formatIso(yield* DateTime.now)
    const keep = yield* makeRunLog(run)
    const store = yield* Store
    const request = { ...options.request, run, name: pipeline.name, started, process: process.pid }
    yield* store.writeRunFile(run, "run.json", `${JSON.stringify(request, null, 2)}\n`)
    const { dispatches } = yield* PipelineDevice
    const dispatchesBefore = dispatches()
    const [code, codeNotices] = yield* Notices.collect(
      readPipelineCode({ steps }, options.packages),
    )
    const inputs = yield* hashInputFiles(pipeline)
    const state: RunState<R> = {
      run,
      pipeline,
      steps,
      anew,
      keepGoing,
      code,
      fileHashes: new Map(inputs.map(({ path, sha256 }) => [path, sha256])),
      out,
      emit: (event) => Effect.andThen(keep(event), onEvent(event)),
      records: new Map(),
      results: new Map(),
      provenance: new Map(),
    }
    yield* state.emit({ _tag: "RunStarted", run, name: pipeline.name, steps: steps.length })
    for (const message of codeNotices) yield* state.emit({ _tag: "RunNotice", message })
    const runStep = makeStepRunner(state)
    const places = new Map(steps.map(({ id }, task) => [id, task]))
    const needs = steps.map((step) => step.needs.map((needed) => places.get(needed)!))
    const finish = (interrupted: boolean) =>
      finishRun(state, {
        interrupted,
        dispatchesBefore,
        notices: codeNotices,
        inputs,
        started,
        packages: options.packages,
        environment: options.environment ?? {},
      })
    yield* runTasks(needs, jobs, (task) => runStep(steps[task], task + 1)).pipe(
      Effect.onInterrupt(() => Effect.ignore(finish(true))),
    )
    return yield* finish(false)
  }).pipe(Effect.scoped)
