import type { Chart } from "./charts/chart.ts"
import type { StepGraph } from "./step_graph.ts"

/** A piece of text, and how it is set. */
export interface Cell {
  readonly text: string
  /** Figures stand to the right; hashes and code in a fixed width; a status has its colour. */
  readonly style?: "number" | "code" | "status"
  /** How it differs from the first run: `+3.2 %`, or a mark. */
  readonly change?: string
}

/** Rows of a table; those of several runs for one thing share a heading. */
export interface RowGroup {
  readonly heading?: string
  readonly rows: ReadonlyArray<{ readonly heading: string; readonly cells: ReadonlyArray<Cell> }>
}

/** A table. Rows begin with one heading each, or two where they are grouped. */
export interface Table {
  readonly caption: string
  /** The columns of the headings, then the others. */
  readonly headings: ReadonlyArray<string>
  readonly columns: ReadonlyArray<{ readonly label: string; readonly numeric: boolean }>
  readonly groups: ReadonlyArray<RowGroup>
}

/** A part of a report, in terms that HTML and Markdown both have. */
export type Block =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "heading"; readonly text: string }
  | {
      readonly kind: "facts"
      readonly facts: ReadonlyArray<readonly [string, ReadonlyArray<Cell>]>
    }
  | { readonly kind: "table"; readonly table: Table }
  | { readonly kind: "chart"; readonly chart: Chart }
  | { readonly kind: "graph"; readonly graph: StepGraph }
  | {
      readonly kind: "note"
      readonly tone: "notice" | "error"
      readonly title: string
      readonly lines: ReadonlyArray<string>
    }
  | { readonly kind: "code"; readonly text: string }
  | {
      readonly kind: "details"
      readonly summary: ReadonlyArray<Cell>
      readonly blocks: ReadonlyArray<Block>
    }

/** A section. There is none without blocks. */
export interface Section {
  /** For links. */
  readonly id: string
  readonly title: string
  readonly blocks: ReadonlyArray<Block>
}

/** A whole report. */
export interface ReportDocument {
  readonly title: string
  readonly description: string | undefined
  readonly head: ReadonlyArray<Block>
  readonly sections: ReadonlyArray<Section>
}

/** A table with one heading a row. */
export const plainTable = (
  caption: string,
  heading: string,
  columns: ReadonlyArray<string>,
  rows: ReadonlyArray<readonly [string, ReadonlyArray<Cell>]>,
): Block => ({
  kind: "table",
  table: {
    caption,
    headings: [heading],
    columns: columns.map((label, i) => ({
      label,
      numeric: rows.some(([, cells]) => cells[i]?.style === "number"),
    })),
    groups: [{ rows: rows.map(([heading, cells]) => ({ heading, cells })) }],
  },
})
