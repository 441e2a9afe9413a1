import { canonicalJson } from "@espalier/pipeline"
import { costMetrics } from "./compare_runs.ts"
import type { RunManifest } from "./manifest.ts"

/** What came of a step when it was done again. */
export interface VerifiedStep {
  readonly id: string
  readonly result: "same" | "differs" | "not compared"
  /** What differs, or why nothing was compared. */
  readonly why: string
}

type Step = RunManifest["steps"][string]

const isSound = ({ status }: Step): boolean => status === "done" || status === "cached"

const compareStep = (before: Step, after: Step | undefined): Omit<VerifiedStep, "id"> => {
  if (!isSound(before)) return { result: "not compared", why: `it was ${before.status} then` }
  if (after === undefined || !isSound(after)) {
    const why = `it is ${after?.status ?? "not there"} now: ${after?.error?.message ?? after?.reason ?? ""}`
    return { result: "differs", why }
  }
  const outputs = Object.keys(before.outputs).filter(
    (name) => before.outputs[name].sha256 !== after.outputs[name]?.sha256,
  )
  const metrics = Object.keys({ ...before.metrics, ...after.metrics }).filter(
    (name) =>
      !costMetrics.has(name) &&
      canonicalJson(before.metrics[name] ?? null) !== canonicalJson(after.metrics[name] ?? null),
  )
  const why = [
    ...outputs.map((name) => `output ${name}`),
    ...metrics.map(
      (name) =>
        `${name} ${canonicalJson(before.metrics[name] ?? null)} → ${canonicalJson(after.metrics[name] ?? null)}`,
    ),
  ].join(", ")
  return { result: why === "" ? "same" : "differs", why }
}

/** Compares what a run gave with what it gave when everything was done again. */
export const compareResults = (
  before: RunManifest,
  after: RunManifest,
): ReadonlyArray<VerifiedStep> =>
  Object.entries(before.steps).map(([id, step]) => ({ id, ...compareStep(step, after.steps[id]) }))
