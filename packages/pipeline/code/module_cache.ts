import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { Option, Schema } from "effect"
import type { JsonObject } from "../canonical_json.ts"
import { sha256Json } from "../sha256.ts"
import { type ModuleGraph, type ModuleGraphs, stampOf } from "./module_hash.ts"
import { makePackages } from "./package_folder.ts"

/** Raised when the same modules get other hashes. */
const format = 1

/** Graphs as they are kept. Modules are places in `files`: many graphs have the same ones. */
const Kept = Schema.Struct({
  stamps: Schema.Array(Schema.Tuple([Schema.String, Schema.String])),
  found: Schema.Array(Schema.Tuple([Schema.String, Schema.String, Schema.String])),
  files: Schema.Array(Schema.Tuple([Schema.String, Schema.String])),
  graphs: Schema.Array(
    Schema.Struct({
      entry: Schema.String,
      sha256: Schema.String,
      packages: Schema.Record(Schema.String, Schema.String),
      modules: Schema.Array(Schema.Int),
    }),
  ),
})

/** What graphs of files are kept under: another esbuild may give another output. */
export const cacheName = (files: ReadonlyArray<string>): string => {
  let version = "none"
  try {
    const manifest = createRequire(import.meta.url).resolve("esbuild/package.json")
    version = (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version
  } catch {
    // Without esbuild nothing is kept: the name does not matter.
  }
  const { url } = import.meta
  return `graphs-${sha256Json([format, version, url.endsWith(".ts"), [...new Set(files)].toSorted()])}`
}

/** Graphs as JSON; none where files were written so shortly before that a stamp may not tell. */
export const packGraphs = (made: ModuleGraphs): JsonObject | undefined => {
  if (!made.isSettled) return undefined
  const places = new Map<string, number>()
  const files: Array<readonly [string, string]> = []
  const placeOf = (name: string, path: string): number => {
    const known = places.get(name) ?? files.push([name, path]) - 1
    places.set(name, known)
    return known
  }
  const graphs = Array.from(made.graphs, ([entry, { sha256, packages, modules }]) => ({
    entry,
    sha256,
    packages,
    modules: Array.from(modules, ([name, path]) => placeOf(name, path)),
  }))
  return { stamps: [...made.stamps], found: made.found, files, graphs }
}

/** Graphs that were kept; none where a file or the place of a package is no longer what it was. */
export const unpackGraphs = (kept: JsonObject): ReadonlyMap<string, ModuleGraph> | undefined => {
  const decoded = Option.getOrUndefined(Schema.decodeUnknownOption(Kept)(kept))
  if (decoded === undefined) return undefined
  const { stamps, found, files, graphs } = decoded
  if (stamps.some(([path, stamp]) => stampOf(path) !== stamp)) return undefined
  const packages = makePackages()
  const isElsewhere = found.some(
    ([name, from, folder]) => (packages.installed(name, from)?.folder ?? "") !== folder,
  )
  if (isElsewhere) return undefined
  return new Map(
    graphs.map(({ entry, modules, ...graph }) => [
      entry,
      { ...graph, modules: new Map(modules.map((place) => files[place])) },
    ]),
  )
}
