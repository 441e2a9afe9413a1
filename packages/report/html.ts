/** Text that is HTML already. Only {@link html} and {@link trusted} make it. */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
}

/** Characters that HTML has no way to write, which browsers replace or report. */
const unwritable = /(?![\t\n\r])[\p{Cc}\p{Noncharacter_Code_Point}]/gu

/** Makes any text harmless in the contents and the quoted attributes of HTML. */
export const escapeHtml = (text: string): string =>
  text
    .toWellFormed()
    .replaceAll(unwritable, "\ufffd")
    .replaceAll(/[&<>"']/g, (character) => entities[character])

/** What may stand in a template: text, which is escaped, and HTML. */
export type HtmlPart = string | number | Html | ReadonlyArray<Html>

const write = (part: HtmlPart): string => {
  if (part instanceof Html) return part.text
  if (typeof part === "string" || typeof part === "number") return escapeHtml(String(part))
  return part.map(({ text }) => text).join("")
}

const templates = new WeakMap<TemplateStringsArray, ReadonlyArray<string>>()

/** The fixed parts of a template without the indentation of this code. */
const partsOf = (strings: TemplateStringsArray): ReadonlyArray<string> => {
  const known = templates.get(strings)
  if (known !== undefined) return known
  const parts = strings.map((text) => text.replaceAll(/\s*\n\s*/g, "\n"))
  templates.set(strings, parts)
  return parts
}

/** A template of HTML: everything put into it is escaped, except what is HTML already. */
export const html = (strings: TemplateStringsArray, ...parts: ReadonlyArray<HtmlPart>): Html =>
  new Html(
    partsOf(strings)
      .map((text, i) => text + (i < parts.length ? write(parts[i]) : ""))
      .join(""),
  )

/** HTML that was made elsewhere, such as a chart. */
export const trusted = (text: string): Html => new Html(text)

/** Nothing. */
export const noHtml = new Html("")
