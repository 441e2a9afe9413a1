import type { Block, Cell, ReportDocument, Table } from "./document.ts"
import { codeBlock, escapeMarkdown, inlineCode } from "./markdown_text.ts"
import { mermaidGraph } from "./mermaid.ts"
import { escapeHtml } from "./html.ts"
import { type ReportOptions, reportDocument } from "./report_document.ts"
import type { ReportRun } from "./report_run.ts"

const inline = ({ text, style, change }: Cell): string => {
  const written = style === "code" ? inlineCode(text) : escapeMarkdown(text)
  return change === undefined ? written : `${written} **(${escapeMarkdown(change)})**`
}

const line = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

const renderTable = ({ caption, headings, columns, groups }: Table): string => {
  const rows = groups.flatMap(({ heading, rows }) =>
    rows.map((row, i) => [
      ...(heading === undefined ? [] : [i === 0 ? escapeMarkdown(heading) : ""]),
      escapeMarkdown(row.heading),
      ...row.cells.map(inline),
    ]),
  )
  return [
    `**${escapeMarkdown(caption)}**`,
    "",
    line([...headings, ...columns.map(({ label }) => label)].map(escapeMarkdown)),
    line([
      ...headings.map(() => "---"),
      ...columns.map(({ numeric }) => (numeric ? "---:" : "---")),
    ]),
    ...rows.map(line),
  ].join("\n")
}

/** Charts are left out: the tables beside them have their figures. */
const renderBlock = (block: Block): string => {
  switch (block.kind) {
    case "text":
      return escapeMarkdown(block.text)
    case "heading":
      return `**${escapeMarkdown(block.text)}**`
    case "facts":
      return block.facts
        .map(([name, cells]) => `- ${escapeMarkdown(name)}: ${cells.map(inline).join("; ")}`)
        .join("\n")
    case "table":
      return renderTable(block.table)
    case "chart":
      return ""
    case "graph":
      return codeBlock(mermaidGraph(block.graph), "mermaid")
    case "note":
      return [
        `> **${escapeMarkdown(block.title)}**  `,
        ...block.lines
          .flatMap((text) => text.split("\n"))
          .map((text) => `> ${escapeMarkdown(text)}  `),
      ].join("\n")
    case "code":
      return codeBlock(block.text)
    case "details": {
      const summary = block.summary.map(({ text }) => text).join(" · ")
      const inner = renderBlocks(block.blocks)
      return `<details><summary>${escapeHtml(summary.replaceAll(/\s+/g, " "))}</summary>\n\n${inner}\n\n</details>`
    }
  }
}

const renderBlocks = (blocks: ReadonlyArray<Block>): string =>
  blocks
    .map(renderBlock)
    .filter((text) => text !== "")
    .join("\n\n")

/**
 * The report of {@link renderHtml} as Markdown in GitHub's flavour: the same tables and details, the
 * pipeline's graph for Mermaid, no charts.
 *
 * @example
 * ```ts
 * import { decodeManifest, renderMarkdown } from "@espalier/report"
 * import { Result } from "effect"
 *
 * const steps = { eval: { use: "model/perplexity", status: "done", metrics: { perplexity: 4.8 } } }
 * const manifest = { run: "20270102-030405-abcd", name: "demo", status: "done", steps }
 * const run = Result.getOrThrow(decodeManifest(manifest, "manifest.json"))
 * console.log(renderMarkdown([run]).split("\n")[0]) // # demo
 * ```
 */
export const renderMarkdown = (
  runs: ReadonlyArray<ReportRun>,
  options: ReportOptions = {},
): string => renderDocumentMarkdown(reportDocument(runs, options))

/**
 * Any report as Markdown, under the same rules as {@link renderMarkdown}.
 *
 * @example
 * ```ts
 * import { renderDocumentMarkdown } from "@espalier/report"
 *
 * const document = { title: "Days", description: "None.", head: [], sections: [] }
 * console.log(renderDocumentMarkdown(document).split("\n")[0]) // # Days
 * ```
 */
export const renderDocumentMarkdown = (document: ReportDocument): string => {
  const { title, description, head, sections } = document
  const parts = [
    `# ${escapeMarkdown(title)}`,
    ...(description === undefined ? [] : [escapeMarkdown(description)]),
    renderBlocks(head),
    ...sections.map(
      ({ title, blocks }) => `## ${escapeMarkdown(title)}\n\n${renderBlocks(blocks)}`,
    ),
  ]
  return `${parts.join("\n\n")}\n`
}
