/**
 * The records of pipeline runs as one HTML file that opens offline, and as Markdown.
 *
 * @module
 */
export { renderHtml } from "./render_html.ts"
export { renderMarkdown } from "./render_markdown.ts"
export type { ReportOptions } from "./report_document.ts"
export { decodeManifest, InvalidManifest, type ReportRun, type ReportStep } from "./report_run.ts"
export type { JsonObject } from "./json.ts"
export type { Reference } from "./references.ts"
