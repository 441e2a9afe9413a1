import { Effect } from "effect"
import { explainMiss } from "./explain_miss.ts"
import { unreadable } from "./input_file.ts"
import type { Pipeline, PipelineStep } from "./pipeline.ts"
import type { PipelineCode } from "./code/pipeline_code.ts"
import { PipelineDevice } from "./pipeline_device.ts"
import { sha256Path } from "./sha256.ts"
import { type MadeFrom, madeFrom, stepKey } from "./step_key.ts"
import { Store } from "./store.ts"
import type { StoreEntry } from "./store_entry.ts"

/** What a step's key is and whether the store has its result. */
export interface Inspection {
  readonly key: string
  readonly made: MadeFrom
  readonly entry: StoreEntry | undefined
  /** Why it has to run; empty where it has not. */
  readonly reasons: ReadonlyArray<string>
  /** What is wrong with the result that the store has, where that is why it has to run. */
  readonly damage: string | undefined
}

/** A file or folder that a pipeline reads. */
export interface InputFile {
  readonly path: string
  readonly sha256: string
  readonly bytes: number
}

/** Hashes every file and folder that the pipeline's steps name, each once. */
export const hashInputFiles = Effect.fnUntraced(function* <R>(pipeline: Pipeline<R>) {
  const locations = new Set(pipeline.steps.flatMap(({ paths }) => Object.values(paths)))
  const files: Array<InputFile> = []
  for (const path of locations) {
    files.push({ path, ...(yield* Effect.mapError(sha256Path(path), unreadable(path))) })
  }
  return files
})

/** What is known of a pipeline when its steps are looked at. */
export interface Surroundings {
  readonly code: PipelineCode
  /** The SHA-256 of each path by its absolute name. */
  readonly fileHashes: ReadonlyMap<string, string>
  /** The results that there are already. */
  readonly results: ReadonlyMap<string, StoreEntry>
}

/** What a step's result is made from, as far as the results that it needs are there. */
export const describeStep = Effect.fnUntraced(function* <R>(
  pipeline: Pipeline<R>,
  planned: PipelineStep<R>,
  known: Surroundings,
) {
  const { fingerprint: device } = yield* PipelineDevice
  return madeFrom(planned, { ...known, seed: pipeline.seed, device })
})

/** Makes a step's key from the results that it needs and looks it up. */
export const inspectStep = Effect.fnUntraced(function* <R>(
  pipeline: Pipeline<R>,
  planned: PipelineStep<R>,
  known: Surroundings,
) {
  const store = yield* Store
  const made = yield* describeStep(pipeline, planned, known)
  const key = stepKey(made.material)
  const found = yield* store.lookup(key)
  const inspection: Inspection = { key, made, entry: undefined, reasons: [], damage: undefined }
  switch (found._tag) {
    case "Hit":
      return { ...inspection, entry: found.entry }
    case "Damaged": {
      const reasons = [`the cached result is damaged: ${found.detail}`]
      return { ...inspection, reasons, damage: found.detail }
    }
    case "Miss": {
      const reasons = yield* explainMiss(pipeline.name, planned, made, known)
      return { ...inspection, reasons }
    }
  }
})
