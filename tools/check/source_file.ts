import { parseSync } from "oxc-parser"

/** A module that a source file names, wherever it does so. */
export interface Import {
  readonly specifier: string
  readonly line: number
}

/** A comment used for documentation, without its frame. */
export interface DocComment {
  readonly text: string
  /** Line of the file on which the comment starts. */
  readonly line: number
}

export const lineAt = (text: string, offset: number): number => {
  let line = 1
  for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", at + 1))
    line++
  return line
}

/** Every module that the file imports: statically, as a type, by re-export or by `import("…")`. */
export const importsOf = (path: string, text: string): ReadonlyArray<Import> => {
  const { module } = parseSync(path, text)
  const found: Array<Import> = []
  const add = (specifier: string, offset: number) =>
    found.push({ specifier, line: lineAt(text, offset) })
  for (const { moduleRequest } of module.staticImports)
    add(moduleRequest.value, moduleRequest.start)
  for (const { entries } of module.staticExports) {
    for (const { moduleRequest } of entries) {
      if (moduleRequest) add(moduleRequest.value, moduleRequest.start)
    }
  }
  for (const { moduleRequest } of module.dynamicImports) {
    const literal = /^["'](.*)["']$/.exec(text.slice(moduleRequest.start, moduleRequest.end))
    if (literal) add(literal[1], moduleRequest.start)
  }
  return found.filter(
    ({ specifier, line }, index) =>
      found.findIndex((other) => other.specifier === specifier && other.line === line) === index,
  )
}

/** The documentation comments of a file. The first line keeps its place so that lines can be counted. */
export const docCommentsOf = (path: string, text: string): ReadonlyArray<DocComment> =>
  parseSync(path, text)
    .comments.filter(({ type, value }) => type === "Block" && value.startsWith("*"))
    .map(({ value, start }) => ({
      text: value
        .slice(1)
        .split("\n")
        .map((line) => line.replace(/^\s*\* ?/, ""))
        .join("\n"),
      line: lineAt(text, start),
    }))

/** The names that a module exports, and whether each is a type only. `read` gives other modules' text. */
export const exportedNames = (
  path: string,
  read: (path: string) => string,
  resolve: (specifier: string, from: string) => string,
): ReadonlyMap<string, { readonly typeOnly: boolean }> => {
  const names = new Map<string, { readonly typeOnly: boolean }>()
  const { module } = parseSync(path, read(path))
  for (const { entries } of module.staticExports) {
    for (const { moduleRequest, importName, exportName, isType } of entries) {
      if (exportName.kind === "Name" && exportName.name !== null) {
        const typeOnly = isType && names.get(exportName.name)?.typeOnly !== false
        names.set(exportName.name, { typeOnly })
      } else if (moduleRequest?.value.startsWith(".") && importName.kind === "AllButDefault") {
        const inner = exportedNames(resolve(moduleRequest.value, path), read, resolve)
        for (const [name, kind] of inner) {
          names.set(name, { typeOnly: isType || kind.typeOnly })
        }
      }
    }
  }
  return names
}
