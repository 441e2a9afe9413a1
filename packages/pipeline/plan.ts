import { Effect, type FileSystem, type Path } from "effect"
import { explainMiss, type Root } from "./explain_miss.ts"
import type { InputFileUnreadable } from "./input_file.ts"
import { describeStep, hashInputFiles, inspectStep } from "./inspect_step.ts"
import type { Pipeline } from "./pipeline.ts"
import { readPipelineCode } from "./code/pipeline_code.ts"
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
  /** Why it will run, what a person changed first; empty on a hit. */
  readonly reasons: ReadonlyArray<string>
  /** The key, where it is known already: not while a step that it needs has to run first. */
  readonly key: string | undefined
}

/**
 * Says for each step, in the order they run, whether its result is in the store, and if not, why.
 * Nothing runs. A step after a miss is told as a miss too, with the step that it begins with; when it
 * comes to running, it is still taken from the store if the step before it gives the same content as
 * last time.
 *
 * `packages` are versions for code that cannot be read; that there is such code is a notice.
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
    const code = yield* readPipelineCode(pipeline, options.packages)
    const files = yield* hashInputFiles(pipeline)
    const fileHashes = new Map(files.map(({ path, sha256 }) => [path, sha256]))
    const results = new Map<string, StoreEntry>()
    const roots = new Map<string, Root>()
    const known = { code, fileHashes, results, roots }
    const planned: Array<PlannedStep> = []
    for (const step of pipeline.steps) {
      const { id } = step
      const { use } = step.step
      const root = step.needs.flatMap((needed) => roots.get(needed) ?? [])[0]
      if (root !== undefined) {
        const made = yield* describeStep(pipeline, step, known)
        const reasons = yield* explainMiss(pipeline.name, step, made, known)
        planned.push({ id, use, cache: "miss", reasons, key: undefined })
        roots.set(id, root)
        continue
      }
      const { entry, key, reasons } = yield* inspectStep(pipeline, step, known)
      if (entry === undefined) roots.set(id, { id, reason: reasons[0] })
      else results.set(id, entry)
      planned.push({ id, use, cache: entry === undefined ? "miss" : "hit", reasons, key })
    }
    return planned
  })
