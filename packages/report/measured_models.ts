import { toFigure, toNumber } from "./json.ts"
import type { ReportRun, ReportStep } from "./report_run.ts"

/** A model whose perplexity was measured. */
export interface MeasuredModel {
  readonly run: ReportRun
  /** What the author of the pipeline calls it in a table, else the id of the step that made it. */
  readonly label: string
  /** The `use` of the steps that made it out of the original model, or of the one that made that. */
  readonly method: string
  /** Made from no other model. */
  readonly original: boolean
  /** A step that prunes is among those it comes from. */
  readonly pruned: boolean
  readonly perplexity: number
  /** Share of weights that are zero. */
  readonly sparsity: number | undefined
  readonly bitsPerWeight: number | undefined
  readonly layerError: number | undefined
  /** Seconds it took to make. */
  readonly seconds: number | undefined
  /** MiB. */
  readonly peakMemory: number | undefined
}

/** Models measured on one text; perplexities on different texts do not compare. */
export interface ModelsOnText {
  /** `eval, windows of 128`. */
  readonly text: string
  readonly models: ReadonlyArray<MeasuredModel>
}

/** What the tables of a pipeline call the steps in their rows. */
const rowNames = (run: ReportRun): ReadonlyMap<string, string> => {
  const names = new Map<string, string>()
  for (const { use, references } of run.steps) {
    if (use !== "report/table") continue
    for (const { key, step } of references) {
      const name = key.replace(/^rows\./, "")
      if (!/^\d+$/.test(name) && !names.has(step)) names.set(step, name)
    }
  }
  return names
}

const referred = (step: ReportStep | undefined, key: string): string | undefined =>
  step?.references.find((reference) => reference.key === key)?.step

/** The step that made a model and those that made what it comes from, the latest first. */
const ancestry = (
  steps: ReadonlyMap<string, ReportStep>,
  from: string | undefined,
): ReadonlyArray<ReportStep> => {
  const found: Array<ReportStep> = []
  let step = from === undefined ? undefined : steps.get(from)
  while (step !== undefined && !found.includes(step)) {
    found.push(step)
    step = steps.get(referred(step, "model") ?? "")
  }
  return found
}

/** `prune/sparsegpt, quantize/rtn`. */
const methodOf = (line: ReadonlyArray<ReportStep>): string | undefined => {
  const changes = line.length > 1 ? line.slice(0, -1) : line
  return changes.length === 0
    ? undefined
    : changes
        .map(({ use }) => use)
        .reverse()
        .join(", ")
}

const measuredIn = (run: ReportRun) => {
  const steps = new Map(run.steps.map((step) => [step.id, step]))
  const names = rowNames(run)
  return run.steps.flatMap((step): ReadonlyArray<[string, MeasuredModel]> => {
    const perplexity = toNumber(step.metrics.perplexity)
    const text = referred(step, "text")
    // What training measures on the way is not measured on the text it was trained on.
    const trains = step.metrics.evaluations !== undefined || step.use === "model/train"
    if (perplexity === undefined || text === undefined || trains) return []
    const line = ancestry(steps, referred(step, "model"))
    const [maker] = line
    const figure = (name: string) => toFigure(step.metrics[name]) ?? toFigure(maker?.metrics[name])
    const window = toNumber(step.configuration.window)
    const model: MeasuredModel = {
      run,
      label: names.get(step.id) ?? maker?.id ?? step.id,
      method: methodOf(line) ?? step.use,
      original: line.length <= 1,
      pruned: line.some(({ use }) => use.startsWith("prune/")),
      perplexity,
      sparsity: figure("sparsity"),
      bitsPerWeight: figure("bitsPerWeight"),
      layerError: toFigure(maker?.metrics.layerError),
      seconds: maker?.computedSeconds ?? maker?.seconds,
      peakMemory: maker?.peakMemory,
    }
    return [[`${text}${window === undefined ? "" : `, windows of ${window}`}`, model]]
  })
}

/** The models of the runs whose perplexity was measured, by the text it was measured on. */
export const measuredModels = (runs: ReadonlyArray<ReportRun>): ReadonlyArray<ModelsOnText> => {
  const texts = new Map<string, Array<MeasuredModel>>()
  for (const [text, model] of runs.flatMap(measuredIn)) {
    texts.set(text, [...(texts.get(text) ?? []), model])
  }
  return [...texts].map(([text, models]) => ({ text, models }))
}
