/** Any text as one line of Markdown that shows it as it is, also in a table. */
export const escapeMarkdown = (text: string): string =>
  text
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")
    .trim()
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    // Where GitHub reads formulas, mentions and addresses.
    .replaceAll("$", "&#36;")
    .replaceAll("@", "&#64;")
    .replaceAll("://", "&#58;//")
    .replaceAll(/www\./gi, (match) => `${match.slice(0, 3)}&#46;`)
    .replaceAll(/[\\`*_{}[\]|~#]/g, String.raw`\$&`)
    // Where a line would begin a list or a heading.
    .replace(/^(\d+)([.)])(?=\s|$)/, String.raw`$1\$2`)
    .replace(/^([-+=])/, String.raw`\$1`)

/** The longest row of backticks in a text. */
const backticks = (text: string): number =>
  (text.match(/`+/g) ?? []).reduce((most, { length }) => Math.max(most, length), 0)

/** Any text as code within a line, also in a table. */
export const inlineCode = (text: string): string => {
  const line = text.toWellFormed().replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")
  if (line.trim() === "") return ""
  // A backslash before a bar is the table's and cannot be written in code.
  if (/\\|\|/.test(line)) return escapeMarkdown(text)
  const fence = "`".repeat(backticks(line) + 1)
  const room = /^`|`$/.test(line) ? " " : ""
  return `${fence}${room}${line}${room}${fence}`
}

/** A text as a block of code. */
export const codeBlock = (text: string, language = ""): string => {
  const fence = "`".repeat(Math.max(3, backticks(text) + 1))
  return `${fence}${language}\n${text.toWellFormed()}\n${fence}`
}
