import { Effect, Option, Schema } from "effect"
import { canonicalJson, type JsonObject } from "../canonical_json.ts"
import { sha256Json } from "../sha256.ts"
import { EntryFile, entryFiles, type StoreEntry } from "../store_entry.ts"
import type { OwnLease } from "./leases.ts"
import type { Objects } from "./objects.ts"
import type { StoreFolder } from "./store_folder.ts"

/** What the store says to a key. */
export type StoreLookup =
  | { readonly _tag: "Hit"; readonly entry: StoreEntry }
  | { readonly _tag: "Miss" }
  /** There was a result, and it is no longer what it was: `detail` says what is wrong. */
  | { readonly _tag: "Damaged"; readonly detail: string }

const decodeMaterial = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Record(Schema.String, Schema.Json)),
)

/** Reads an entry as it lies on disk; none where it is not the one of the key, or not whole. */
export const decodeEntry = (key: string, bytes: Uint8Array): Option.Option<StoreEntry> =>
  Schema.decodeUnknownOption(EntryFile)(new TextDecoder().decode(bytes)).pipe(
    Option.filter((file) => file.entry.key === key && sha256Json(file.entry) === file.sha256),
    Option.map((file) => file.entry),
  )

/** An entry as it lies on disk. */
export const encodeEntry = (entry: StoreEntry) =>
  Effect.orDie(Schema.encodeEffect(EntryFile)({ sha256: sha256Json(entry), entry }))

const miss: StoreLookup = { _tag: "Miss" }

/** Finished steps under their key, and what they were made from last. */
export const makeEntries = (at: StoreFolder, lease: OwnLease, objects: Objects) => {
  const put = Effect.fnUntraced(function* (entry: StoreEntry) {
    const contents = entryFiles(entry).map(([, file]) => file.sha256)
    yield* lease.use([entry.key, ...contents])
    yield* at.write(at.fanOut("entries", entry.key), yield* encodeEntry(entry))
  }, at.guard("keep a result"))

  const lookup = Effect.fnUntraced(function* (key: string) {
    const damaged = (detail: string): StoreLookup => ({ _tag: "Damaged", detail })
    const file = at.fanOut("entries", key)
    if (!(yield* at.fileSystem.exists(file))) return miss
    // Only what is named in the lease stays; so it is read after that.
    yield* lease.use([key])
    const bytes = yield* at.readIfThere(file)
    if (Option.isNone(bytes)) return miss
    const entry = decodeEntry(key, bytes.value)
    if (Option.isNone(entry)) return damaged("its entry is not readable")
    for (const [name, file] of entryFiles(entry.value)) {
      const state = yield* objects.verify(file)
      if (state !== "sound") return damaged(`${name} is ${state}`)
    }
    return { _tag: "Hit", entry: entry.value } satisfies StoreLookup
  }, at.guard("look up a result"))

  const latestFile = (pipeline: string, step: string) =>
    at.at("latest", `p-${encodeURIComponent(pipeline)}`, `${encodeURIComponent(step)}.json`)

  const putLatest = (pipeline: string, step: string, material: JsonObject) =>
    at.guard("remember what ran")(at.write(latestFile(pipeline, step), canonicalJson(material)))

  const latest = (pipeline: string, step: string) =>
    at
      .readIfThere(latestFile(pipeline, step))
      .pipe(
        Effect.map(Option.flatMap((bytes) => decodeMaterial(new TextDecoder().decode(bytes)))),
        at.guard("read what ran last"),
      )

  return { put, lookup, putLatest, latest }
}

/** See {@link makeEntries}. */
export type Entries = ReturnType<typeof makeEntries>
