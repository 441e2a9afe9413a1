import { existsSync, readFileSync, readdirSync } from "node:fs"
import { basename, dirname, join, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"

/** The part of a package.json that the checks read. */
export interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly version?: string
  readonly description?: string
  readonly license?: string
  readonly type?: string
  readonly engines?: Readonly<Record<string, string>>
  readonly files?: ReadonlyArray<string>
  readonly bin?: Readonly<Record<string, string>>
  readonly exports?: Readonly<Record<string, unknown>>
  readonly publishConfig?: { readonly exports?: Readonly<Record<string, unknown>> }
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

export interface WorkspacePackage {
  /** The name of its folder, which is its name in the table of arrows. */
  readonly name: string
  /** Relative to the root, with forward slashes. */
  readonly folder: string
  readonly manifest: Manifest
  /** TypeScript files, relative to the root, with forward slashes. */
  readonly sources: ReadonlyArray<string>
}

export interface Repository {
  readonly root: string
  readonly packages: ReadonlyArray<WorkspacePackage>
  readonly read: (path: string) => string
  readonly has: (path: string) => boolean
}

export const workspaceRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

const leftOut = new Set(["node_modules", "dist"])

const typeScriptFiles = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory())
      return leftOut.has(entry.name) || entry.name.startsWith(".") ? [] : typeScriptFiles(path)
    return entry.name.endsWith(".ts") ? [path] : []
  })

/** Reads the packages, applications and tools of a workspace. */
export const readRepository = (root: string): Repository => {
  const portable = (path: string) => relative(root, path).split(sep).join("/")
  const packages = ["packages", "apps", "tools"]
    .map((group) => join(root, group))
    .filter((group) => existsSync(group))
    .flatMap((group) => readdirSync(group).map((name) => join(group, name)))
    .filter((folder) => existsSync(join(folder, "package.json")))
    .map((folder): WorkspacePackage => {
      const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest
      const sources = typeScriptFiles(folder).map(portable).toSorted()
      return { name: basename(folder), folder: portable(folder), manifest, sources }
    })
  return {
    root,
    packages,
    read: (path) => readFileSync(join(root, path), "utf8"),
    has: (path) => existsSync(join(root, path)),
  }
}
