import { canonicalJson, isJsonObject, type Json, type JsonObject } from "@espalier/pipeline"
import type { RunManifest } from "./manifest.ts"

/** A value that two runs do not share. */
export interface Difference {
  /** Where it is, such as `steps.pruned.sparsity`. */
  readonly at: string
  readonly before: Json | undefined
  readonly after: Json | undefined
}

/** What two runs do not share. */
export interface RunComparison {
  /** The pipelines as they were resolved, but for the seed. */
  readonly pipeline: ReadonlyArray<Difference>
  /** Seed, device, and the hashes of files that were read. */
  readonly conditions: ReadonlyArray<Difference>
  readonly packages: ReadonlyArray<Difference>
  /** The hashes of the steps' code; where it is told by versions, those are in `packages`. */
  readonly code: ReadonlyArray<Difference>
  /** How steps ended, where not alike; taken from the store counts as done. */
  readonly statuses: ReadonlyArray<Difference>
  /** What steps measured, but for time and memory. */
  readonly metrics: ReadonlyArray<Difference>
}

/** Metrics that differ from run to run of the same. */
export const costMetrics: ReadonlySet<string> = new Set([
  "seconds",
  "peakMemory",
  "tokensPerSecond",
])

const isMap = (value: Json | undefined): value is JsonObject =>
  value !== undefined && isJsonObject(value)

/** A curve: `{ "10": 4.2, "20": 3.9, … }`, a value for each of some steps. */
export const isCurve = (value: JsonObject): boolean => {
  const keys = Object.keys(value)
  return keys.length > 1 && keys.every((key) => /^\d+$/.test(key))
}

/** The smallest parts that differ; what only one has, and a curve, is told as a whole. */
const differences = (
  before: Json | undefined,
  after: Json | undefined,
  at = "",
): ReadonlyArray<Difference> => {
  if (isMap(before) && isMap(after) && !(isCurve(before) && isCurve(after))) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    return keys.flatMap((key) =>
      differences(before[key], after[key], at === "" ? key : `${at}.${key}`),
    )
  }
  const same =
    before !== undefined && after !== undefined && canonicalJson(before) === canonicalJson(after)
  return same ? [] : [{ at, before, after }]
}

const withoutCosts = (metrics: Readonly<Record<string, Json>>): Json =>
  Object.fromEntries(Object.entries(metrics).filter(([name]) => !costMetrics.has(name)))

type StepOfRun = RunManifest["steps"][string]

/** Something of the steps that both runs have. */
const ofSharedSteps =
  (part: (step: StepOfRun) => Json) =>
  (other: RunManifest) =>
  ({ steps }: RunManifest): Json =>
    Object.fromEntries(
      Object.entries(steps).flatMap(([id, step]) => (id in other.steps ? [[id, part(step)]] : [])),
    )

const metricsOf = ofSharedSteps(({ metrics }) => withoutCosts(metrics))
const codeOf = ofSharedSteps(({ code }) => code?.graph ?? null)

const conditionsOf = ({ seed, device, inputs }: RunManifest): Json => ({
  seed,
  device: device.fingerprint,
  files: Object.fromEntries(inputs.map(({ path, sha256 }) => [path, sha256])),
})

const statusesOf = ({ steps }: RunManifest): Json =>
  Object.fromEntries(
    Object.entries(steps).map(([id, { status }]) => [id, status === "cached" ? "done" : status]),
  )

const pipelineOf = ({ pipeline }: RunManifest): Json =>
  Object.fromEntries(Object.entries(pipeline).filter(([key]) => key !== "seed"))

/** Everything that two runs do not share, and that matters. */
export const compareRuns = (before: RunManifest, after: RunManifest): RunComparison => {
  const compare = (part: (manifest: RunManifest) => Json) => differences(part(before), part(after))
  return {
    pipeline: compare(pipelineOf),
    conditions: compare(conditionsOf),
    packages: compare(({ packages }) => packages),
    code: differences(codeOf(after)(before), codeOf(before)(after)),
    statuses: compare(statusesOf),
    metrics: differences(metricsOf(after)(before), metricsOf(before)(after)),
  }
}
