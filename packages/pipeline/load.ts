import { Effect, Option } from "effect"
import { type DataFolderOptions, findDataFolder } from "./data_folder.ts"
import { applyOverrides, parseOverride } from "./override.ts"
import { readPipelineFile } from "./pipeline_file.ts"
import { resolvePipeline } from "./resolve.ts"
import type { Step } from "./step.ts"

/**
 * Reads a pipeline file, applies overrides and checks everything that can be checked before a run.
 *
 * @example
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { Effect, Option } from "effect"
 * import { loadPipeline, type Step } from "@espalier/pipeline"
 *
 * const load = (steps: ReadonlyArray<Step>) =>
 *   loadPipeline("prune.yaml", { steps, set: ["steps.pruned.sparsity=0.5"] }).pipe(
 *     Effect.provide(NodeServices.layer),
 *   )
 * ```
 */
export const loadPipeline = Effect.fnUntraced(function* <R>(
  file: string,
  options: {
    readonly steps: ReadonlyArray<Step<R>>
    /** Overrides as they are given on a command line: `steps.pruned.sparsity=0.5`. */
    readonly set?: ReadonlyArray<string>
    readonly data?: DataFolderOptions
    /** At most so many of whatever steps take a number of: for trials. */
    readonly limit?: number
    /**
     * Folders beside that of the pipeline file and the data folder that files may lie in. Given, files
     * elsewhere are refused, and so are pipelines that are programs.
     */
    readonly sandbox?: ReadonlyArray<string>
  },
) {
  const overrides = yield* Effect.forEach(options.set ?? [], parseOverride)
  const written = yield* readPipelineFile(file, { programs: options.sandbox === undefined })
  const source = yield* applyOverrides(written, overrides)
  const dataFolder = yield* findDataFolder(options.data ?? {})
  const { steps, limit, sandbox } = options
  return yield* resolvePipeline(source, {
    steps,
    dataFolder,
    ...(limit === undefined ? {} : { limit }),
    ...(sandbox === undefined
      ? {}
      : { sandbox: [source.folder, ...Option.toArray(dataFolder.path), ...sandbox] }),
  })
})
