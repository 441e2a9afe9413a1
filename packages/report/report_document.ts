import type { ReportDocument } from "./document.ts"
import type { ReportRun } from "./report_run.ts"
import { costSection } from "./sections/costs.ts"
import { differenceSection } from "./sections/differences.ts"
import { graphSection } from "./sections/graph.ts"
import { headBlocks } from "./sections/head.ts"
import { layerErrorSection } from "./sections/layer_error.ts"
import { measurementSection } from "./sections/measurements.ts"
import { perplexitySection } from "./sections/perplexity.ts"
import { problemSection } from "./sections/problems.ts"
import { recordSection } from "./sections/record.ts"
import { stepSection } from "./sections/steps.ts"
import { summarySection } from "./sections/summary.ts"
import { trainingSection } from "./sections/training.ts"

/** What a report may be told. */
export interface ReportOptions {
  /** In place of the pipeline's name. */
  readonly title?: string
}

/** In the order of the page. Each is there only where it has something to show. */
const sections = [
  problemSection,
  differenceSection,
  summarySection,
  perplexitySection,
  layerErrorSection,
  trainingSection,
  costSection,
  graphSection,
  measurementSection,
  stepSection,
  recordSection,
]

/** The contents of a report, for HTML and Markdown alike. */
export const reportDocument = (
  runs: ReadonlyArray<ReportRun>,
  options: ReportOptions = {},
): ReportDocument => {
  const names = [...new Set(runs.map(({ name }) => name))]
  const descriptions = new Set(runs.map(({ description }) => description))
  return {
    title: options.title ?? names.join(", "),
    description: descriptions.size === 1 ? runs[0].description : undefined,
    head: headBlocks(runs),
    sections: sections.flatMap((section) => section(runs)),
  }
}
