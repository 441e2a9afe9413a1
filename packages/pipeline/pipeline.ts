import type { JsonObject } from "./canonical_json.ts"
import type { Step } from "./step.ts"
import { makePipeline } from "./typed_pipeline.ts"

/** What an input refers to: an output of a step, or its metrics (`output` is then `"metrics"`). */
export interface Reference {
  /** The reference without `$`, or the key in a map of references. */
  readonly name: string
  readonly step: string
  readonly output: string
}

/** One step of a pipeline that has passed every check. */
export interface PipelineStep<R = never> {
  readonly id: string
  readonly step: Step<R>
  /** The decoded configuration. */
  readonly config: unknown
  /** The configuration as JSON, defaults filled in, paths as given. */
  readonly encodedConfig: JsonObject
  /** The absolute paths of the configuration's path keys that are given. */
  readonly paths: Readonly<Record<string, string>>
  /** The references of each input that is given. */
  readonly inputs: Readonly<Record<string, ReadonlyArray<Reference>>>
  /** The steps that it needs, each once. */
  readonly needs: ReadonlyArray<string>
}

/** A pipeline that has passed every check, its steps in the order they run. */
export interface Pipeline<R = never> {
  readonly file: string
  readonly name: string
  readonly description: string | undefined
  readonly seed: number
  readonly steps: ReadonlyArray<PipelineStep<R>>
  /** The pipeline as it was resolved: overrides applied and defaults filled in. */
  readonly document: JsonObject
}

/** Pipelines in TypeScript: {@link makePipeline}. */
export const Pipeline = { make: makePipeline }
