/** A fenced block of Markdown. */
export interface CodeBlock {
  readonly language: string
  readonly code: string
  /** Line of the text on which the code itself starts. */
  readonly line: number
}

/** The fenced blocks of a Markdown text, in order. An indented fence is taken out of its indentation. */
export const codeBlocks = (text: string): ReadonlyArray<CodeBlock> => {
  const blocks: Array<CodeBlock> = []
  const lines = text.split("\n")
  for (let at = 0; at < lines.length; at++) {
    const open = /^(\s*)(`{3,}|~{3,})\s*(\w*)/.exec(lines[at])
    if (!open) continue
    const [, indentation, fence, language] = open
    const start = at + 1
    while (++at < lines.length && !lines[at].trimStart().startsWith(fence));
    const code = lines
      .slice(start, at)
      .map((line) => (line.startsWith(indentation) ? line.slice(indentation.length) : line))
    blocks.push({ language: language, code: `${code.join("\n")}\n`, line: start + 1 })
  }
  return blocks
}

/** Why a README does not start with a title, one paragraph and code, or `undefined` where it does. */
export const badStart = (text: string): { line: number; message: string } | undefined => {
  const lines = text.split("\n")
  const filled = lines.flatMap((line, index) => (line.trim() === "" ? [] : [{ line, index }]))
  if (!filled[0]?.line.startsWith("# ")) return { line: 1, message: "starts with a title (`# …`)" }
  const fence = filled.findIndex(({ line }) => /^(`{3}|~{3})/.test(line))
  const first = fence === -1 ? undefined : filled[fence]
  if (first === undefined) return { line: 1, message: "shows code that works right at its start" }
  const paragraphs = lines
    .slice(filled[0].index + 1, first.index)
    .join("\n")
    .split(/\n\s*\n/)
    .filter((paragraph) => paragraph.trim() !== "")
  if (paragraphs.length > 1 || paragraphs.some((paragraph) => paragraph.trim().startsWith("#")))
    return { line: first.index + 1, message: "has one paragraph at most before its first code" }
  return undefined
}
