import { Effect, Option } from "effect"
import type { Json } from "./canonical_json.ts"
import { unreadable } from "./input_file.ts"
import type { Pipeline, PipelineStep } from "./pipeline.ts"
import { PipelineDevice } from "./pipeline_device.ts"
import { sha256Json, sha256Path } from "./sha256.ts"
import { explainChange, type KeyMaterial, keyMaterial, stepKey } from "./step_key.ts"
import { Store } from "./store.ts"
import type { StoreEntry } from "./store_entry.ts"

/** What a step's key is and whether the store has its result. */
export interface Inspection {
  readonly key: string
  readonly material: KeyMaterial
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

/** The hash that stands for one output, or the metrics, of a finished step. */
const contentHash = (entry: StoreEntry, output: string): string =>
  output === "metrics" ? sha256Json(entry.metrics) : entry.outputs[output].sha256

/** Makes a step's key from the results that it needs and looks it up. */
export const inspectStep = Effect.fnUntraced(function* <R>(
  pipeline: Pipeline<R>,
  planned: PipelineStep<R>,
  known: {
    readonly packages: Readonly<Record<string, string>>
    readonly files: ReadonlyArray<InputFile>
    readonly results: ReadonlyMap<string, StoreEntry>
  },
) {
  const store = yield* Store
  const device = yield* PipelineDevice
  const inputs: Record<string, Json> = {}
  for (const [name, references] of Object.entries(planned.inputs)) {
    const hashes = references.map((reference) => {
      const entry = known.results.get(reference.step)
      return [reference.name, entry === undefined ? "" : contentHash(entry, reference.output)]
    })
    inputs[name] = planned.step.inputs[name].many ? hashes : hashes[0][1]
  }
  const material = keyMaterial(planned, {
    packages: known.packages,
    seed: pipeline.seed,
    device: device.fingerprint,
    fileHashes: new Map(known.files.map(({ path, sha256 }) => [path, sha256])),
    inputs,
  })
  const key = stepKey(material)
  const found = yield* store.lookup(key)
  const inspection: Inspection = {
    key,
    material,
    entry: undefined,
    reasons: [],
    damage: undefined,
  }
  switch (found._tag) {
    case "Hit":
      return { ...inspection, entry: found.entry, reasons: [] }
    case "Damaged": {
      const reasons = [`the cached result is damaged: ${found.detail}`]
      return { ...inspection, reasons, damage: found.detail }
    }
    case "Miss": {
      const before = yield* store.latest(pipeline.name, planned.id)
      const changes = Option.match(before, {
        onNone: () => ["never run"],
        onSome: (old) => explainChange(old, material),
      })
      const reasons = changes.length > 0 ? changes : ["its result is no longer in the store"]
      return { ...inspection, reasons }
    }
  }
})
