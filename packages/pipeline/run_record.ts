import type { MetricsDocument } from "./artifact.ts"
import type { JsonObject } from "./canonical_json.ts"
import type { InputFile } from "./inspect_step.ts"
import type { PipelineCode } from "./code/pipeline_code.ts"
import type { PipelineDevice } from "./pipeline_device.ts"
import type { MadeFrom } from "./step_key.ts"
import type { StoreEntry } from "./store_entry.ts"

/** What went wrong in a step. */
export interface StepFailure {
  readonly tag: string
  readonly message: string
  readonly hint?: string
}

/** What became of one step. */
export interface StepRecord {
  readonly use: string
  /** Skipped: a step that it needs failed, or the run was interrupted. */
  readonly status: "done" | "cached" | "failed" | "skipped"
  /** What the step took in this run. */
  readonly seconds: number
  /** The most memory in MiB that the process had meanwhile, where it was done in this run. */
  readonly peakMemory?: number
  readonly metrics: MetricsDocument
  /** Kernels given to the device in this run. */
  readonly dispatches: number
  /** Device work that was done on the host. */
  readonly hostFallbacks: ReadonlyArray<string>
  /** What a person should know although nothing failed. */
  readonly notices: ReadonlyArray<string>
  readonly error?: StepFailure
  /** Why it was skipped. */
  readonly reason?: string
}

/** The document of a run: what `--json` prints and `results.json` holds. */
export interface RunRecord {
  readonly run: string
  readonly name: string
  readonly status: "done" | "failed" | "interrupted"
  readonly device: {
    readonly kind: string
    readonly adapter: string
    readonly software: boolean
    readonly dispatches: number
  }
  /** What a person should know of the run as a whole, if anything. */
  readonly notices?: ReadonlyArray<string>
  readonly steps: Readonly<Record<string, StepRecord>>
}

/** What is known of a step besides its record: where its result comes from. */
export interface StepProvenance {
  readonly key: string | undefined
  readonly made: MadeFrom | undefined
  readonly reasons: ReadonlyArray<string>
  readonly entry: StoreEntry | undefined
}

const nothing: StepProvenance = {
  key: undefined,
  made: undefined,
  reasons: [],
  entry: undefined,
}

/** Puts together `manifest.json`: everything that could change the run's results, and the results. */
export const makeManifest = (parts: {
  readonly record: RunRecord
  readonly file: string
  readonly document: JsonObject
  readonly seed: number
  readonly inputs: ReadonlyArray<InputFile>
  readonly packages: Readonly<Record<string, string>>
  readonly environment: JsonObject
  readonly code: Pick<PipelineCode, "by" | "ofDevice" | "packages">
  readonly device: Pick<PipelineDevice["Service"], "features" | "fingerprint">
  readonly started: string
  readonly finished: string
  readonly provenance: ReadonlyMap<string, StepProvenance>
}) => ({
  run: parts.record.run,
  name: parts.record.name,
  status: parts.record.status,
  started: parts.started,
  finished: parts.finished,
  seed: parts.seed,
  device: {
    ...parts.record.device,
    fingerprint: parts.device.fingerprint,
    features: parts.device.features ?? [],
    code: parts.code.ofDevice,
  },
  environment: parts.environment,
  /** Whether an edit of the code is noticed by its modules, or in places by versions only. */
  code: parts.code.by,
  notices: parts.record.notices ?? [],
  packages: { ...parts.packages, ...parts.code.packages },
  file: parts.file,
  pipeline: parts.document,
  inputs: parts.inputs,
  steps: Object.fromEntries(
    Object.entries(parts.record.steps).map(([id, step]) => {
      const { key, reasons, entry, made } = parts.provenance.get(id) ?? nothing
      return [
        id,
        {
          ...step,
          key: key ?? null,
          reasons,
          code: made?.material.code ?? null,
          seed: made?.material.seed ?? null,
          computed:
            entry === undefined ? null : { finished: entry.finished, seconds: entry.seconds },
          outputs: entry?.outputs ?? {},
          files: entry?.files ?? {},
        },
      ]
    }),
  ),
})
