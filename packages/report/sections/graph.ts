import type { Block, Section } from "../document.ts"
import type { ReportRun } from "../report_run.ts"
import { stepGraph } from "../step_graph.ts"

/** What needs what. Runs of one pipeline share a graph. */
export const graphSection = (runs: ReadonlyArray<ReportRun>): ReadonlyArray<Section> => {
  const seen = new Set<string>()
  const blocks = runs.flatMap((run): ReadonlyArray<Block> => {
    const graph = stepGraph(run)
    const shape = JSON.stringify([graph.boxes.map(({ steps }) => steps), graph.arrows])
    if (graph.arrows.length === 0 || seen.has(shape)) return []
    seen.add(shape)
    return [{ kind: "graph", graph }]
  })
  return blocks.length === 0 ? [] : [{ id: "graph", title: "Pipeline", blocks }]
}
