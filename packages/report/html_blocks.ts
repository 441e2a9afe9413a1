import { drawGraph } from "./charts/graph.ts"
import type { Block, Cell, Table } from "./document.ts"
import { renderFigure } from "./html_figure.ts"
import { type Html, html, noHtml } from "./html.ts"
import { statusClass } from "./status.ts"

const changeOf = ({ change }: Cell): Html =>
  change === undefined ? noHtml : html` <span class="change">${change}</span>`

const inline = (cell: Cell): Html => {
  if (cell.style === "status") {
    return html`<span class="status ${statusClass(cell.text)}">${cell.text}</span>`
  }
  if (cell.style === "code") return html`<code>${cell.text}</code>`
  return html`${cell.text}${changeOf(cell)}`
}

const tableCell = (cell: Cell): Html => {
  const name = [
    ...(cell.style === "number" ? ["number"] : []),
    ...(cell.change === undefined ? [] : ["changed"]),
  ].join(" ")
  return name === ""
    ? html`<td>${inline(cell)}</td>`
    : html`<td class="${name}">${inline(cell)}</td>`
}

/** Tables with more rows scroll in their box. */
const mostRows = 40

const renderTable = ({ caption, headings, columns, groups }: Table): Html => {
  const head = [
    ...headings.map((label) =>
      label === "" ? html`<td></td>` : html`<th scope="col">${label}</th>`,
    ),
    ...columns.map(({ label, numeric }) =>
      numeric
        ? html`<th scope="col" class="number">${label}</th>`
        : html`<th scope="col">${label}</th>`,
    ),
  ]
  const bodies = groups.map(({ heading, rows }) => {
    const lines = rows.map((row, i) => {
      const group =
        heading === undefined || i > 0
          ? noHtml
          : html`<th scope="rowgroup" rowspan="${rows.length}">${heading}</th>`
      return html`<tr>
        ${group}
        <th scope="row">${row.heading}</th>
        ${row.cells.map(tableCell)}
      </tr> `
    })
    return html`<tbody>
      ${lines}
    </tbody>`
  })
  const longest = Math.max(
    ...groups.flatMap(({ heading, rows }) => [
      heading?.length ?? 0,
      ...rows.map((row) => row.heading.length),
    ]),
  )
  const long = groups.reduce((sum, { rows }) => sum + rows.length, 0) > mostRows
  return html`<div
    class="${long ? "scroll long" : "scroll"}"
    role="region"
    aria-label="${caption}"
    tabindex="0"
  >
    <table class="${longest > 12 ? "named" : ""}">
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${head}
        </tr>
      </thead>
      ${bodies}
    </table>
  </div> `
}

/** Blocks as HTML. `id` makes the names of what they define their own. */
export const renderBlocks = (blocks: ReadonlyArray<Block>, id: string): ReadonlyArray<Html> =>
  blocks.map((block, i): Html => {
    switch (block.kind) {
      case "text":
        return html`<p>${block.text}</p>`
      case "heading":
        return html`<h3>${block.text}</h3>`
      case "facts": {
        const facts = block.facts.map(([name, cells]) => {
          const values = cells.map((cell) => html`<dd>${inline(cell)}</dd>`)
          return html`<div>
            <dt>${name}</dt>
            ${values}
          </div>`
        })
        return html`<dl>${facts}</dl>`
      }
      case "table":
        return renderTable(block.table)
      case "chart":
        return renderFigure(block.chart)
      case "graph":
        return html`<div class="scroll" role="region" aria-label="graph" tabindex="0">
          ${drawGraph(block.graph, `${id}-${i}`)}
        </div>`
      case "note": {
        const lines = block.lines.map((line) => html`<p>${line}</p>`)
        return html`<div class="note ${block.tone}"><strong>${block.title}</strong>${lines}</div>`
      }
      case "code":
        return html`<pre tabindex="0">${block.text}</pre>`
      case "details": {
        const summary = block.summary.map((cell) => html`<span>${inline(cell)}</span> `)
        return html`<details>
          <summary>${summary}</summary>
          <div class="inside">${renderBlocks(block.blocks, `${id}-${i}`)}</div>
        </details> `
      }
    }
  })
