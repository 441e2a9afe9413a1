import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { Schema } from "effect"

const Manifest = Schema.fromJsonString(
  Schema.Struct({
    name: Schema.String,
    version: Schema.String,
    dependencies: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
    optionalDependencies: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
    peerDependencies: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  }),
)

const readManifest = (file: string) =>
  Schema.decodeUnknownSync(Manifest)(readFileSync(file, "utf8"))

/** What cannot change a result: tests, settings, and how results are shown and kept. */
const ignored = /^(node_modules|dist|testing|command_line)$|_test\.ts$|\.config\.ts$/

/** A hash of a package's sources, so that a result computed by other code is not taken for this one's. */
export const sourceHash = (folder: string): string => {
  const hash = createHash("sha256")
  const visit = (at: string) => {
    const entries = readdirSync(at, { withFileTypes: true })
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      if (ignored.test(entry.name)) continue
      const file = join(at, entry.name)
      if (entry.isDirectory()) visit(file)
      else if (entry.name.endsWith(".ts")) {
        const content = readFileSync(file)
        const name = relative(folder, file).split(sep).join("/")
        hash.update(`${name}\n${content.length}\n`).update(content)
      }
    }
  }
  visit(folder)
  return hash.digest("hex").slice(0, 12)
}

const packageFolder = (file: string): string => {
  for (let at = dirname(file); ; at = dirname(at)) {
    try {
      readFileSync(join(at, "package.json"))
      return at
    } catch (error) {
      if (dirname(at) === at) throw error
    }
  }
}

/** How results are shown, kept and followed is not what they depend on. */
const withoutEffectOnResults = ["@espalier/cluster", "@espalier/pipeline", "@espalier/runtime"]

/** The exact version of a package that is imported from a folder; none where it is not there. */
const installedVersion = (name: string, from: string): string | undefined => {
  for (let at = from; ; at = dirname(at)) {
    try {
      return readManifest(join(at, "node_modules", name, "package.json")).version
    } catch {
      if (dirname(at) === at) return undefined
    }
  }
}

/**
 * The exact versions of the packages that results depend on: of this project and of others that
 * they import. Run from source, a version of this project is followed by a hash of the sources: it is
 * in keys where the code itself cannot be read, and whoever changes the code gets new results.
 */
export const packageVersions = (): Readonly<Record<string, string>> => {
  const here = fileURLToPath(import.meta.url)
  const fromSource = here.endsWith(".ts")
  const versions = new Map<string, string>()
  const visit = (folder: string) => {
    const manifest = readManifest(join(folder, "package.json"))
    const { name, version, dependencies } = manifest
    if (versions.has(name)) return
    const exact = fromSource && !withoutEffectOnResults.includes(name)
    versions.set(name, exact ? `${version}+${sourceHash(folder)}` : version)
    const require = createRequire(join(folder, "package.json"))
    const imported = {
      ...manifest.peerDependencies,
      ...manifest.optionalDependencies,
      ...dependencies,
    }
    for (const dependency of Object.keys(imported)) {
      if (dependency.startsWith("@espalier/")) {
        visit(dirname(require.resolve(`${dependency}/package.json`)))
        continue
      }
      const found = installedVersion(dependency, folder)
      if (found !== undefined && !versions.has(dependency)) versions.set(dependency, found)
    }
  }
  visit(packageFolder(here))
  return Object.fromEntries([...versions].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** The version of this command. */
export const ownVersion = (): string =>
  readManifest(join(packageFolder(fileURLToPath(import.meta.url)), "package.json")).version
