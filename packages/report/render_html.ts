import type { ReportDocument } from "./document.ts"
import { html, trusted } from "./html.ts"
import { renderBlocks } from "./html_blocks.ts"
import { type ReportOptions, reportDocument } from "./report_document.ts"
import type { ReportRun } from "./report_run.ts"
import { style } from "./style.ts"

/** Nothing is loaded and nothing is run, whatever a record holds. */
const policy =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

/** A trunk and its trained branches. */
const mark = trusted(
  `<svg class="mark" viewBox="0 0 40 40" aria-hidden="true"><path d="M20 38V5M20 31C10 31 5 30 5 24M20 31C30 31 35 30 35 24M20 21C12 21 8 20 8 14M20 21C28 21 32 20 32 14M20 12C15 12 12 11 12 6M20 12C25 12 28 11 28 6"/></svg>`,
)

/**
 * One HTML file with everything that runs have to say: results in tables and charts, what each step
 * was told and what it took, the pipeline's graph, and the record of versions, inputs and keys. It
 * opens without a network, has no script, and follows the reader's light or dark scheme. With several
 * runs it compares them. The same runs give the same bytes.
 *
 * @example
 * ```ts
 * import { decodeManifest, renderHtml } from "@espalier/report"
 * import { Result } from "effect"
 *
 * const steps = { eval: { use: "model/perplexity", status: "done", metrics: { perplexity: 4.8 } } }
 * const manifest = { run: "20270102-030405-abcd", name: "demo", status: "done", steps }
 * const run = Result.getOrThrow(decodeManifest(manifest, "manifest.json"))
 * console.log(renderHtml([run]).startsWith("<!doctype html>")) // true
 * ```
 */
export const renderHtml = (runs: ReadonlyArray<ReportRun>, options: ReportOptions = {}): string => {
  const origin = runs.length === 1 ? "the record of the run" : "the records of the runs"
  return renderDocumentHtml(reportDocument(runs, options), origin)
}

/**
 * Any report as one HTML file, under the same rules as {@link renderHtml}. `origin` says at its foot what
 * it was made from.
 *
 * @example
 * ```ts
 * import { renderDocumentHtml } from "@espalier/report"
 *
 * const document = { title: "Days", description: undefined, head: [], sections: [] }
 * console.log(renderDocumentHtml(document, "a calendar").includes("<h1>Days</h1>")) // true
 * ```
 */
export const renderDocumentHtml = (document: ReportDocument, origin: string): string => {
  const { title, description, head, sections } = document
  const links = sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)
  const bodies = sections.map(
    ({ id, title, blocks }) =>
      html`<section id="${id}">
        <h2>${title}</h2>
        ${renderBlocks(blocks, id)}
      </section> `,
  )
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="referrer" content="no-referrer" />
        <title>${title}</title>
        <link rel="icon" href="data:," />
        <style>
          ${trusted(style)}
        </style>
      </head>
      <body>
        <header>
          <div class="title">
            ${mark}
            <div>
              <h1>${title}</h1>
              ${description === undefined ? "" : html`<p>${description}</p>`}
            </div>
          </div>
          ${renderBlocks(head, "head")}
        </header>
        <nav aria-label="sections">
          <ul>
            ${links}
          </ul>
        </nav>
        <main>${bodies}</main>
        <footer>
          Made by Espalier from ${origin}. Nothing in this file is loaded from elsewhere.
        </footer>
      </body>
    </html> `
  return page.text
}
