import type { Effect } from "effect"
import type { PipelineCode } from "./code/pipeline_code.ts"
import type { OutputFolder } from "./output_folder.ts"
import type { Pipeline, PipelineStep } from "./pipeline.ts"
import type { RunEvent } from "./run_event.ts"
import type { StepProvenance, StepRecord } from "./run_record.ts"
import type { StoreEntry } from "./store_entry.ts"

/** A run in progress: what it was asked for, and what is known of its steps so far. */
export interface RunState<R> {
  readonly run: string
  readonly pipeline: Pipeline<R>
  /** The steps of the pipeline that take part, in its order. */
  readonly steps: ReadonlyArray<PipelineStep<R>>
  /** Steps that are done although the store has their results. */
  readonly anew: ReadonlySet<string>
  /** Whether steps that do not need a failed one still run. */
  readonly keepGoing: boolean
  readonly code: PipelineCode
  readonly fileHashes: ReadonlyMap<string, string>
  readonly out: OutputFolder | undefined
  /** Tells what happens, and keeps it. */
  readonly emit: (event: RunEvent) => Effect.Effect<void>
  /** How each step ended. */
  readonly records: Map<string, StepRecord>
  /** What the steps that ended well gave. */
  readonly results: Map<string, StoreEntry>
  readonly provenance: Map<string, StepProvenance>
}

/** The record of a step in which nothing was done. */
export const nothingDone = {
  seconds: 0,
  metrics: {},
  dispatches: 0,
  hostFallbacks: [],
  notices: [],
} as const
