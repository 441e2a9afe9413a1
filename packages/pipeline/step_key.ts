import type { Json, JsonObject } from "./canonical_json.ts"
import type { PipelineStep } from "./pipeline.ts"
import type { PipelineCode } from "./code/pipeline_code.ts"
import { sha256Json } from "./sha256.ts"
import type { StoreEntry } from "./store_entry.ts"

/** Everything that a step's result may depend on, as JSON; its hash is the step's key. */
export interface KeyMaterial extends JsonObject {
  readonly format: 2
  readonly use: string
  readonly version: number
  /** `graph` and `packages` of the step's module, or the `versions` of packages. */
  readonly code: JsonObject
  /** The configuration but what is operational; a path is `{ file: SHA-256 of what is there }`. */
  readonly config: JsonObject
  /** The content hash of each input; for `many`, pairs of name and hash. */
  readonly inputs: JsonObject
  /** Null where the step does not use it. */
  readonly seed: number | null
  /** `name` and `code` of the device; null where the step does not use it. */
  readonly device: JsonObject | null
}

/** One value that a step was given: where it came from, and what it was. */
export interface MadeFromInput extends JsonObject {
  readonly name: string
  readonly step: string
  readonly output: string
  /** The key of the step that it came from. */
  readonly key: string
  readonly sha256: string
}

/** What a result was made from: the material of its key, and what helps people to understand it. */
export interface MadeFrom extends JsonObject {
  readonly material: KeyMaterial
  /** The values of each input. */
  readonly inputs: { readonly [input: string]: ReadonlyArray<MadeFromInput> }
  /** The paths of the configuration as they were given. */
  readonly paths: JsonObject
}

/** The hash that stands for one output, or the metrics, of a finished step. */
const contentHash = (entry: StoreEntry, output: string): string =>
  output === "metrics" ? sha256Json(entry.metrics) : entry.outputs[output].sha256

/**
 * Puts together what a step's result is made from. An input whose step has no result yet is left out.
 */
export const madeFrom = <R>(
  { step, encodedConfig, paths, inputs }: PipelineStep<R>,
  known: {
    readonly code: Pick<PipelineCode, "ofStep" | "ofDevice">
    readonly seed: number
    readonly device: string
    /** The SHA-256 of each path by its absolute name. */
    readonly fileHashes: ReadonlyMap<string, string>
    readonly results: ReadonlyMap<string, StoreEntry>
  },
): MadeFrom => {
  const config: Record<string, Json> = {}
  for (const [name, value] of Object.entries(encodedConfig)) {
    if (step.operational.includes(name)) continue
    const location = paths[name]
    config[name] = location === undefined ? value : { file: known.fileHashes.get(location) ?? null }
  }
  const values: Record<string, ReadonlyArray<MadeFromInput>> = {}
  const hashes: Record<string, Json> = {}
  for (const [input, references] of Object.entries(inputs)) {
    const given = references.flatMap(({ name, step: from, output }): Array<MadeFromInput> => {
      const entry = known.results.get(from)
      return entry === undefined
        ? []
        : [{ name, step: from, output, key: entry.key, sha256: contentHash(entry, output) }]
    })
    values[input] = given
    hashes[input] = step.inputs[input].many
      ? given.map(({ name, sha256 }) => [name, sha256])
      : (given[0]?.sha256 ?? null)
  }
  return {
    material: {
      format: 2,
      use: step.use,
      version: step.version,
      code: known.code.ofStep(step),
      config,
      inputs: hashes,
      seed: step.usesSeed ? known.seed : null,
      device: step.usesDevice ? { name: known.device, code: known.code.ofDevice } : null,
    },
    inputs: values,
    paths: Object.fromEntries(Object.keys(paths).map((name) => [name, encodedConfig[name]])),
  }
}

/** The key of a step: the SHA-256 of the canonical JSON of its material. */
export const stepKey = (material: KeyMaterial): string => sha256Json(material)
