import { canonicalJson, isJsonObject, type Json, type JsonObject } from "./canonical_json.ts"
import type { PipelineStep } from "./pipeline.ts"
import { sha256Json } from "./sha256.ts"

/** Everything that a step's result may depend on, as JSON; its hash is the step's key. */
export interface KeyMaterial extends JsonObject {
  readonly format: 1
  readonly use: string
  readonly version: number
  readonly packages: JsonObject
  /** The configuration; a path is `{ file: SHA-256 of what is there }`. */
  readonly config: JsonObject
  /** The content hash of each input; for `many`, pairs of name and hash. */
  readonly inputs: JsonObject
  /** Null where the step does not use it. */
  readonly seed: number | null
  readonly device: string | null
}

/** Puts together what a step's result may depend on. */
export const keyMaterial = <R>(
  { step, encodedConfig, paths }: PipelineStep<R>,
  known: {
    readonly packages: Readonly<Record<string, string>>
    readonly seed: number
    readonly device: string
    /** The SHA-256 of each path by its absolute name. */
    readonly fileHashes: ReadonlyMap<string, string>
    readonly inputs: JsonObject
  },
): KeyMaterial => {
  const config: Record<string, Json> = { ...encodedConfig }
  for (const [name, location] of Object.entries(paths)) {
    config[name] = { file: known.fileHashes.get(location) ?? null }
  }
  return {
    format: 1,
    use: step.use,
    version: step.version,
    packages: known.packages,
    config,
    inputs: known.inputs,
    seed: step.usesSeed ? known.seed : null,
    device: step.usesDevice ? known.device : null,
  }
}

/** The key of a step: the SHA-256 of the canonical JSON of its material. */
export const stepKey = (material: KeyMaterial): string => sha256Json(material)

const show = (value: Json | undefined): string => {
  if (value === undefined || value === null) return "none"
  const text = typeof value === "string" ? value : canonicalJson(value)
  return text.length > 40 ? `${text.slice(0, 37)}…` : text
}

const differences = (
  before: Json | undefined,
  after: JsonObject,
  say: (name: string, from: Json | undefined, to: Json | undefined) => string,
): Array<string> => {
  const old = isJsonObject(before) ? before : {}
  return [...new Set([...Object.keys(old), ...Object.keys(after)])]
    .filter((name) => canonicalJson(old[name] ?? null) !== canonicalJson(after[name] ?? null))
    .map((name) => say(name, old[name], after[name]))
}

/**
 * Why a step has to run although it ran before, in words: what differs between what it was made
 * from then and now. Empty where nothing differs.
 *
 * @example
 * ```ts
 * import { explainChange } from "@espalier/pipeline"
 *
 * // explainChange(before, after) → ["config.sparsity changed 0.5 → 2:4"]
 * ```
 */
export const explainChange = (before: JsonObject, after: KeyMaterial): ReadonlyArray<string> => {
  const changed = (what: string, from: Json | undefined, to: Json | undefined) =>
    `${what} changed ${show(from)} → ${show(to)}`
  const reasons: Array<string> = []
  if (before.use !== after.use) return [changed("the step itself", before.use, after.use)]
  if (before.version !== after.version) {
    reasons.push(changed("the step's version", before.version, after.version))
  }
  reasons.push(
    ...differences(before.packages, after.packages, (name, from, to) =>
      changed(`package ${name}`, from, to),
    ),
    ...differences(before.config, after.config, (name, from, to) =>
      isJsonObject(from) && isJsonObject(to) && "file" in from && "file" in to
        ? `the content of config.${name} changed`
        : changed(`config.${name}`, from, to),
    ),
    ...differences(before.inputs, after.inputs, (name, from, to) =>
      from === undefined
        ? `input ${name} was added`
        : to === undefined
          ? `input ${name} was removed`
          : `input ${name} changed`,
    ),
  )
  if (canonicalJson(before.seed ?? null) !== canonicalJson(after.seed)) {
    reasons.push(changed("the seed", before.seed, after.seed))
  }
  if (canonicalJson(before.device ?? null) !== canonicalJson(after.device)) {
    reasons.push(changed("the device", before.device, after.device))
  }
  return reasons
}
