import type { Block, Section } from "../document.ts"
import type { ReportRun } from "../report_run.ts"
import { runLetter } from "./compare.ts"

/** What failed or was skipped, and what a person should know although nothing failed. */
export const problemSection = (runs: ReadonlyArray<ReportRun>): ReadonlyArray<Section> => {
  const blocks = runs.flatMap((run, i) => {
    const named = (id: string) => (runs.length > 1 ? `${runLetter(i)}: ${id}` : id)
    const failed = run.steps.flatMap(({ id, error }): ReadonlyArray<Block> => {
      if (error === undefined) return []
      const lines = [error.message, ...(error.hint === undefined ? [] : [error.hint])]
      const title = error.tag === undefined ? named(id) : `${named(id)}: ${error.tag}`
      return [{ kind: "note", tone: "error", title, lines }]
    })
    const skipped = new Map<string, Array<string>>()
    for (const { id, reason } of run.steps) {
      if (reason !== undefined) skipped.set(reason, [...(skipped.get(reason) ?? []), id])
    }
    const left = [...skipped].map(([reason, ids]): Block => {
      const title = named(`skipped: ${reason}`)
      return { kind: "note", tone: "error", title, lines: [ids.join(", ")] }
    })
    const noticed = run.steps.flatMap(({ id, notices: lines }): ReadonlyArray<Block> =>
      lines.length === 0 ? [] : [{ kind: "note", tone: "notice", title: named(id), lines }],
    )
    return [...failed, ...left, ...noticed]
  })
  if (blocks.length === 0) return []
  const wrong = blocks.some((block) => block.kind === "note" && block.tone === "error")
  return [{ id: "problems", title: wrong ? "What went wrong" : "Notices", blocks }]
}
