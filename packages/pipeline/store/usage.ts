import { Effect, Option } from "effect"
import { entryFiles } from "../store_entry.ts"
import { pipelineOf, readManifest } from "./run_manifest.ts"
import type { RunFolders } from "./run_folders.ts"
import type { StoreFolder } from "./store_folder.ts"

/** One run, for people who look what there is. */
export interface RunUsage {
  readonly run: string
  readonly pipeline: string
  /** As its manifest says; `unknown` where it has none. */
  readonly status: string
  /** In milliseconds since 1970. */
  readonly modified: number
  readonly steps: number
  /** The contents of its results; several runs may share them. */
  readonly bytes: number
}

/** What the kept runs have of one step of a pipeline. */
export interface StepUsage {
  readonly pipeline: string
  readonly step: string
  readonly use: string
  /** Different results. */
  readonly results: number
  readonly bytes: number
}

/** What is in a store. */
export interface StoreUsage {
  readonly folder: string
  readonly runs: ReadonlyArray<RunUsage>
  readonly steps: ReadonlyArray<StepUsage>
  readonly entries: number
  readonly objects: number
  readonly checkpoints: number
  /** All contents. */
  readonly bytes: number
}

/** Contents by hash, each counted once. */
const sizes = () => {
  const bytes = new Map<string, number>()
  return {
    add: (sha256: string, size: number) => void bytes.set(sha256, size),
    total: () => [...bytes.values()].reduce((sum, size) => sum + size, 0),
  }
}

/** Looks what there is in a store, by what the manifests say. */
export const makeUsage = (at: StoreFolder, runs: RunFolders) =>
  Effect.gen(function* () {
    const perRun: Array<RunUsage> = []
    const perStep = new Map<
      string,
      Pick<StepUsage, "pipeline" | "step" | "use"> & {
        readonly keys: Set<string>
        readonly contents: ReturnType<typeof sizes>
      }
    >()
    for (const { run, modified } of yield* runs.list) {
      const manifest = Option.getOrUndefined(yield* readManifest(runs, run))
      const pipeline = manifest?.name ?? (yield* pipelineOf(runs, run))
      const contents = sizes()
      const steps = Object.entries(manifest?.steps ?? {})
      for (const [step, { use = "", status, key, outputs = {}, files = {} }] of steps) {
        const name = JSON.stringify([pipeline, step])
        const known = perStep.get(name) ?? {
          pipeline,
          step,
          use,
          keys: new Set<string>(),
          contents: sizes(),
        }
        perStep.set(name, known)
        if (typeof key === "string" && isFinished(status)) known.keys.add(key)
        for (const [, file] of entryFiles({ outputs, files })) {
          contents.add(file.sha256, file.bytes)
          known.contents.add(file.sha256, file.bytes)
        }
      }
      const status = manifest?.status ?? "unknown"
      perRun.push({ run, pipeline, status, modified, steps: steps.length, bytes: contents.total() })
    }
    const objects = yield* at.listHashed("objects")
    return {
      folder: at.folder,
      runs: perRun,
      steps: [...perStep.values()].map(({ keys, contents, ...step }) => ({
        ...step,
        results: keys.size,
        bytes: contents.total(),
      })),
      entries: (yield* at.listHashed("entries")).length,
      objects: objects.length,
      checkpoints: (yield* at.list(at.at("checkpoints"))).length,
      bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0),
    } satisfies StoreUsage
  }).pipe(at.guard("be looked through"))

const isFinished = (status: string | undefined) => status === "done" || status === "cached"
