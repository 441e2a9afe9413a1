import { Context, type Effect } from "effect"
import type { MetricsDocument, TaggedFailure } from "./artifact.ts"
import { executeStep } from "./execute_step.ts"
import type { PipelineStep } from "./pipeline.ts"
import type { PipelineDevice } from "./pipeline_device.ts"
import type { RunEvent } from "./run_event.ts"
import type { MadeFrom } from "./step_key.ts"
import type { Store } from "./store.ts"
import type { StoredFile, StoreEntry } from "./store_entry.ts"
import type { StoreError } from "./store_error.ts"

/** One value that a step takes, as the store has it: an output's files, or what a step measured. */
export type JobValue =
  | { readonly _tag: "Files"; readonly files: Readonly<Record<string, StoredFile>> }
  | { readonly _tag: "Metrics"; readonly metrics: MetricsDocument }

/** A value that a step takes, by the name that it has there. */
export interface JobInput {
  readonly name: string
  readonly value: JobValue
}

/**
 * A step to be done, with all that it is made of. Everything but `planned.step`, `inputs`, `emit` and
 * what they hold is JSON: who has the same steps and the same store can do it elsewhere.
 */
export interface StepJob<R> {
  readonly planned: PipelineStep<R>
  /** Under which its result is kept. Who keeps it twice keeps the same. */
  readonly key: string
  /** What the result is made from: kept with it. */
  readonly made: MadeFrom
  readonly seed: number
  /** The values of each input that is given. */
  readonly values: Readonly<Record<string, ReadonlyArray<JobInput>>>
  /** The SHA-256 of the files and folders that it reads, by their absolute path. */
  readonly fileHashes: ReadonlyMap<string, string>
  /** The same values decoded, for whoever works in this process. */
  readonly inputs: Effect.Effect<
    Readonly<Record<string, unknown>>,
    TaggedFailure,
    R | Store | PipelineDevice
  >
  readonly notices: ReadonlyArray<string>
  readonly emit: (event: RunEvent) => Effect.Effect<void>
}

/** What an executor does; see {@link Executor}. */
export interface ExecutorService {
  /** As in the manifest: `local`. */
  readonly name: string
  /** Does a step and keeps its result in the store under the job's key; gives what is kept. */
  readonly execute: <R>(
    job: StepJob<R>,
  ) => Effect.Effect<StoreEntry, TaggedFailure | StoreError, R | Store | PipelineDevice>
}

const local: ExecutorService = {
  name: "local",
  execute: (job) => executeStep(job),
}

/**
 * Where steps are done. By default here, in this process, on this device; another one may hand them
 * to other processes and machines that share the store.
 */
export const Executor: Context.Reference<ExecutorService> = Context.Reference(
  "@espalier/pipeline/Executor",
  { defaultValue: () => local },
)
