import { Effect, Option } from "effect"
import { entryFiles } from "../store_entry.ts"
import { RunExists } from "./archive_error.ts"
import { memberName, memberPlace } from "./archive_index.ts"
import { decodeEntry, type Entries } from "./entries.ts"
import type { OwnLease } from "./leases.ts"
import type { Objects } from "./objects.ts"
import type { RunFolders } from "./run_folders.ts"
import { decodeManifest } from "./run_manifest.ts"
import type { StoreFolder } from "./store_folder.ts"
import { invalidArchive, unpackArchive } from "./unpack_archive.ts"

/** What an archive brought. */
export interface ImportReport {
  /** The runs that are in the store now. */
  readonly runs: ReadonlyArray<string>
  /** Of these, those that were there before. */
  readonly known: ReadonlyArray<string>
  readonly entries: number
  readonly objects: number
}

/** Takes in what `makeExporter` wrote: all of it, or nothing. */
export const makeImporter = (
  at: StoreFolder,
  parts: {
    readonly lease: OwnLease
    readonly objects: Objects
    readonly entries: Entries
    readonly runs: RunFolders
  },
) => {
  const { fileSystem, path } = at
  const { lease, objects, entries, runs } = parts

  const importFile = Effect.fnUntraced(function* (file: string, draft: string) {
    const invalid = invalidArchive(file)
    const members = yield* unpackArchive(at, file, draft)
    const staged = (name: string) => path.join(draft, name)
    const places = [...members.keys()].flatMap((name) => memberPlace(name) ?? [])
    const hashes = (kind: "objects" | "entries") =>
      places.flatMap((place) => (place.kind === kind ? [place.hash] : []))
    const runNames = [
      ...new Set(places.flatMap((place) => (place.kind === "runs" ? [place.run] : []))),
    ]
    const read = (name: string) => fileSystem.readFile(staged(name))

    // What it brings must be whole before anything of it counts.
    yield* lease.use([
      ...hashes("objects"),
      ...hashes("entries"),
      ...runNames.map((run) => `run ${run}`),
    ])
    for (const key of hashes("entries")) {
      const name = memberName({ kind: "entries", hash: key })
      const entry = decodeEntry(key, yield* read(name))
      if (Option.isNone(entry)) return yield* invalid(`${name} is not the result of its key`)
      for (const [content, stored] of entryFiles(entry.value)) {
        const member = members.get(memberName({ kind: "objects", hash: stored.sha256 }))
        if (member?.bytes !== stored.bytes) return yield* invalid(`${name} lacks its ${content}`)
      }
    }
    const known: Array<string> = []
    for (const run of runNames) {
      const name = memberName({ kind: "runs", run, file: "manifest.json" })
      if (!members.has(name)) return yield* invalid(`the run ${run} has no manifest`)
      const manifest = yield* read(name)
      if (Option.isNone(decodeManifest(manifest)))
        return yield* invalid(`${name} is not a manifest`)
      if (!(yield* fileSystem.exists(runs.folderOf(run)))) continue
      const present = yield* runs.read(run, "manifest.json")
      if (!Option.exists(present, (bytes) => Buffer.from(bytes).equals(manifest))) {
        return yield* new RunExists({
          run,
          path: file,
          hint: "import it into another store with --store DIR",
        })
      }
      known.push(run)
    }

    // Contents before the entries that name them, and entries before the runs.
    for (const hash of hashes("objects")) {
      const name = memberName({ kind: "objects", hash })
      yield* objects.adopt(staged(name), { sha256: hash, bytes: members.get(name)?.bytes ?? 0 })
    }
    for (const key of hashes("entries")) {
      if ((yield* entries.lookup(key))._tag === "Hit") continue
      const name = memberName({ kind: "entries", hash: key })
      yield* at.putInPlace(staged(name), at.fanOut("entries", key))
    }
    for (const run of runNames) {
      if (!known.includes(run)) {
        yield* at.putInPlace(path.join(draft, "runs", run), runs.folderOf(run))
      }
    }
    return {
      runs: runNames,
      known,
      entries: hashes("entries").length,
      objects: hashes("objects").length,
    } satisfies ImportReport
  })

  return (file: string) =>
    at
      .withDraft((draft) =>
        Effect.andThen(fileSystem.makeDirectory(draft), importFile(file, draft)),
      )
      .pipe(at.guard("import runs"))
}
