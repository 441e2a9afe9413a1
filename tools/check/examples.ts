import { posix } from "node:path"
import { codeBlocks } from "./readme.ts"
import type { Repository, WorkspacePackage } from "./repository.ts"
import { docCommentsOf, exportedNames, importsOf } from "./source_file.ts"

/** A code block of a documentation comment, made into a program. */
export interface Example {
  readonly package: WorkspacePackage
  /** The file it stands in, relative to the root, and the line on which its code starts. */
  readonly file: string
  readonly line: number
  /** Where the program is written, relative to the root: inside the package, whose name it imports. */
  readonly program: string
  readonly text: string
}

/** The folder for generated programs in each package. */
export const programFolder = ".examples"

const languages = new Set(["ts", "typescript", "js", "javascript"])

/** The blocks under the `@example` tags of a comment, with lines counted from the comment's first. */
export const exampleBlocks = (comment: string) => {
  const lines = comment.split("\n")
  return codeBlocks(comment).filter(({ language, line }) => {
    if (!languages.has(language)) return false
    const tag = lines.slice(0, line - 1).findLast((text) => /^\s*@\w/.test(text))
    return tag?.trimStart().startsWith("@example") === true
  })
}

/** What a module offers for import by name. */
export interface Vocabulary {
  readonly module: string
  readonly names: ReadonlyMap<string, { readonly typeOnly: boolean }>
  /** Its names are namespaces, taken only where a dot follows: `Record.map`, but not `Record<…>`. */
  readonly namespaces?: boolean
}

/**
 * Imports the public names that a block without imports uses and does not declare itself; where
 * several modules offer a name, from the first.
 */
export const withImports = (code: string, vocabularies: ReadonlyArray<Vocabulary>): string => {
  if (importsOf("example.ts", code).length > 0) return code
  const taken = new Set<string>()
  const uses = (name: string, namespace: boolean) =>
    new RegExp(String.raw`(?<![.\w])${name}${namespace ? String.raw`\.\w` : String.raw`\b`}`).test(
      code,
    )
  const declares = (name: string) =>
    new RegExp(String.raw`\b(?:const|let|class|function|type|interface)\s+${name}\b`).test(code)
  const statements = vocabularies.flatMap(({ module, names, namespaces = false }) => {
    const list = [...names].filter(([name]) => {
      const wanted = !taken.has(name) && !(namespaces && name in globalThis)
      return wanted && uses(name, namespaces) && !declares(name)
    })
    for (const [name] of list) taken.add(name)
    const text = list.map(([name, { typeOnly }]) => (typeOnly ? `type ${name}` : name)).join(", ")
    return text === "" ? [] : [`import { ${text} } from "${module}"; `]
  })
  return `${statements.length === 0 ? "export {}; " : statements.join("")}${code}`
}

const publicNames = (repository: Repository, { folder }: WorkspacePackage) => {
  const mod = `${folder}/mod.ts`
  if (!repository.has(mod)) return new Map<string, { typeOnly: boolean }>()
  const resolve = (specifier: string, from: string) => posix.join(posix.dirname(from), specifier)
  return exportedNames(mod, repository.read, resolve)
}

/** What an example may use without an import: its package, what that depends on, and more. */
const vocabulariesOf = (
  repository: Repository,
  from: WorkspacePackage,
  more: ReadonlyArray<Vocabulary>,
): ReadonlyArray<Vocabulary> => {
  const dependencies = Object.keys(from.manifest.dependencies ?? {})
  const used = repository.packages.filter(({ manifest }) => dependencies.includes(manifest.name))
  const own = [from, ...used].map((each) => ({
    module: each.manifest.name,
    names: publicNames(repository, each),
  }))
  return [...own, ...more]
}

/** Every example of the published packages' documentation comments. */
export const examplesOf = (
  repository: Repository,
  more: ReadonlyArray<Vocabulary> = [],
): ReadonlyArray<Example> =>
  repository.packages.flatMap((from) => {
    if (!from.folder.startsWith("packages/")) return []
    const vocabularies = vocabulariesOf(repository, from, more)
    return from.sources
      .filter((file) => !file.endsWith("_test.ts"))
      .flatMap((file) =>
        docCommentsOf(file, repository.read(file)).flatMap((comment) =>
          exampleBlocks(comment.text).map((block): Example => {
            const line = comment.line + block.line - 1
            const stem = file.slice(from.folder.length + 1, -".ts".length).replaceAll("/", "__")
            return {
              package: from,
              file,
              line,
              program: `${from.folder}/${programFolder}/${stem}_${line}.ts`,
              text: withImports(block.code, vocabularies),
            }
          }),
        ),
      )
  })
