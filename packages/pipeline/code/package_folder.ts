import { readFileSync, realpathSync } from "node:fs"
import { dirname, join } from "node:path"
import { Option, Schema } from "effect"

/** A package on the disk. */
export interface PackageFolder {
  readonly name: string
  readonly version: string
  readonly folder: string
  /** False where the package says that its modules do nothing but export. */
  readonly sideEffects: boolean
}

const Manifest = Schema.fromJsonString(
  Schema.Struct({
    name: Schema.String,
    version: Schema.optionalKey(Schema.String),
    sideEffects: Schema.optionalKey(Schema.Unknown),
  }),
)

const readPackage = (folder: string): PackageFolder | undefined => {
  let text: string
  try {
    text = readFileSync(join(folder, "package.json"), "utf8")
  } catch {
    return undefined
  }
  const manifest = Option.getOrUndefined(Schema.decodeUnknownOption(Manifest)(text))
  if (manifest === undefined) return undefined
  const { name, version = "none", sideEffects } = manifest
  return { name, version, folder: realpathSync(folder), sideEffects: sideEffects !== false }
}

/** The package that a specifier is of: `@scope/name` of `@scope/name/part`. */
export const packageNameOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")

const makeMemo = <A>(find: (key: string) => A): ((key: string) => A) => {
  const known = new Map<string, A>()
  return (key) => {
    const value = known.has(key) ? (known.get(key) as A) : find(key)
    known.set(key, value)
    return value
  }
}

/** Finds packages as Node does, each looked for once. */
export const makePackages = () => {
  const at = makeMemo(readPackage)
  const climb = (start: string, find: (folder: string) => PackageFolder | undefined) => {
    for (let folder = start; ; folder = dirname(folder)) {
      const found = find(folder)
      if (found !== undefined || dirname(folder) === folder) return found
    }
  }
  const aroundFolder = makeMemo((folder: string) => climb(folder, at))
  const installed = makeMemo((name: string) =>
    makeMemo((from: string) => climb(from, (folder) => at(join(folder, "node_modules", name)))),
  )
  return {
    /** The package that a file belongs to. */
    around: (file: string): PackageFolder | undefined => aroundFolder(dirname(file)),
    /** The package that is imported by its name from a folder. */
    installed: (name: string, from: string): PackageFolder | undefined => installed(name)(from),
  }
}
