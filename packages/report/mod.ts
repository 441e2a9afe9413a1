/**
 * The records of pipeline runs, and other reports, as one HTML file that opens offline, and as Markdown.
 *
 * @module
 */
export type { ChartAxis, ChartPoint, PointChart } from "./charts/chart.ts"
export { type Block, type Cell, plainTable, type ReportDocument, type Section } from "./document.ts"
export { renderDocumentHtml, renderHtml } from "./render_html.ts"
export { renderDocumentMarkdown, renderMarkdown } from "./render_markdown.ts"
export type { ReportOptions } from "./report_document.ts"
export { decodeManifest, InvalidManifest, type ReportRun, type ReportStep } from "./report_run.ts"
export type { JsonObject } from "./json.ts"
export type { Reference } from "./references.ts"
