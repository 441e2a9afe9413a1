import { Effect, type FileSystem, type Path } from "effect"
import type { InputFileUnreadable } from "./input_file.ts"
import { hashInputFiles, inspectStep } from "./inspect_step.ts"
import type { Pipeline } from "./pipeline.ts"
import type { PipelineDevice } from "./pipeline_device.ts"
import type { Store } from "./store.ts"
import type { StoreEntry } from "./store_entry.ts"
import type { StoreError } from "./store_error.ts"

/** What would become of one step if the pipeline ran now. */
export interface PlannedStep {
  readonly id: string
  readonly use: string
  /** `"hit"`: the result is in the store and sound. `"miss"`: the step will run. */
  readonly cache: "hit" | "miss"
  /** Why it will run; empty on a hit. */
  readonly reasons: ReadonlyArray<string>
  /** The key, where it is known already: not while a step that it needs has to run first. */
  readonly key: string | undefined
}

/**
 * Says for each step, in the order they run, whether its result is in the store, and if not, why.
 * Nothing runs. A step after a miss is told as a miss too; when it comes to running, it is still
 * taken from the store if the step before it gives the same content as last time.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { type Pipeline, planPipeline } from "@espalier/pipeline"
 *
 * const misses = (pipeline: Pipeline) =>
 *   Effect.map(planPipeline(pipeline, { packages: {} }), (steps) =>
 *     steps.filter((step) => step.cache === "miss").map((step) => `${step.id}: ${step.reasons.join(", ")}`))
 * ```
 */
export const planPipeline = <R>(
  pipeline: Pipeline<R>,
  options: { readonly packages: Readonly<Record<string, string>> },
): Effect.Effect<
  ReadonlyArray<PlannedStep>,
  StoreError | InputFileUnreadable,
  Store | PipelineDevice | FileSystem.FileSystem | Path.Path
> =>
  Effect.gen(function* () {
    const files = yield* hashInputFiles(pipeline)
    const results = new Map<string, StoreEntry>()
    const planned: Array<PlannedStep> = []
    for (const step of pipeline.steps) {
      const { id } = step
      const { use } = step.step
      const waitsFor = step.needs.filter((needed) => !results.has(needed))
      if (waitsFor.length > 0) {
        const reasons = waitsFor.map((needed) => `depends on ${needed}`)
        planned.push({ id, use, cache: "miss", reasons, key: undefined })
        continue
      }
      const { entry, key, reasons } = yield* inspectStep(pipeline, step, {
        packages: options.packages,
        files,
        results,
      })
      if (entry !== undefined) results.set(id, entry)
      planned.push({ id, use, cache: entry === undefined ? "miss" : "hit", reasons, key })
    }
    return planned
  })
