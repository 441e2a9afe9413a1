import { Effect, Option, Stream } from "effect"
import { entryFiles, type StoreEntry } from "../../store_entry.ts"
import { decodeEntry, encodeEntry, type Entries, type StoreLookup } from "../entries.ts"
import type { OwnLease } from "../leases.ts"
import { inMemory, type Remote } from "./remote.ts"
import type { RemoteGuard } from "./remote_guard.ts"
import type { SharedObjects } from "./shared_objects.ts"

const nameOf = (key: string) => `entries/${key.slice(0, 2)}/${key.slice(2)}.json`

/** What the entries of a remote need. */
interface Surroundings {
  readonly lease: OwnLease
  readonly entries: Entries
  readonly objects: SharedObjects
  readonly remote: Remote
  readonly guard: RemoteGuard
  /** Whether nothing is fetched or written: contents count by their size. */
  readonly onlyLook: boolean
}

/** Finished steps in a folder and in the remote behind it. */
export const makeSharedEntries = ({
  lease,
  entries,
  objects,
  remote,
  guard,
  onlyLook,
}: Surroundings) => {
  /** Keys whose result this process has seen: what it makes of them it was asked to make anew. */
  const seen = new Set<string>()

  const encode = (entry: StoreEntry) =>
    Effect.map(encodeEntry(entry), (text) => new TextEncoder().encode(text))

  const stateOf = Effect.fnUntraced(function* (file: Parameters<SharedObjects["bring"]>[0]) {
    if (!onlyLook) return yield* objects.bring(file)
    return (yield* objects.isThere(file)) ? ("sound" as const) : ("missing" as const)
  })

  /** Fetches a result, where the remote has it whole. */
  const bring = Effect.fnUntraced(function* (key: string) {
    const damaged = (detail: string): StoreLookup => ({ _tag: "Damaged", detail })
    const bytes = yield* remote.get(nameOf(key), Stream.mkUint8Array)
    if (Option.isNone(bytes)) return { _tag: "Miss" } satisfies StoreLookup
    const found = Option.getOrUndefined(decodeEntry(key, bytes.value))
    if (found === undefined) return damaged(`its entry in ${remote.address} is not readable`)
    const files = entryFiles(found)
    yield* lease.use([key, ...files.map(([, file]) => file.sha256)])
    for (const [name, file] of files) {
      const state = yield* stateOf(file)
      if (state !== "sound") return damaged(`${name} is ${state} in ${remote.address}`)
    }
    if (!onlyLook) yield* entries.put(found)
    return { _tag: "Hit", entry: found } satisfies StoreLookup
  })

  /** Keeps a result; where another one was first, that one stands, and is given. */
  const put = Effect.fnUntraced(function* (entry: StoreEntry) {
    const { key } = entry
    yield* entries.put(entry)
    for (const [, file] of entryFiles(entry)) yield* objects.send(file)
    const bytes = yield* encode(entry)
    if (!seen.has(key)) {
      if (yield* remote.putFirst(nameOf(key), bytes)) return entry
      const first = yield* bring(key)
      if (first._tag === "Hit") return first.entry
    }
    yield* remote.put(nameOf(key), inMemory(bytes))
    return entry
  }, guard("keep a result"))

  /** Puts a result that is here where others find it, unless they do. */
  const share = Effect.fnUntraced(function* (entry: StoreEntry) {
    for (const [, file] of entryFiles(entry)) yield* objects.send(file)
    if (Option.isSome(yield* remote.size(nameOf(entry.key)))) return
    yield* remote.putFirst(nameOf(entry.key), yield* encode(entry))
  }, guard("share a result"))

  const lookup = Effect.fnUntraced(function* (key: string) {
    const here = yield* entries.lookup(key)
    const found = here._tag === "Hit" ? here : yield* bring(key)
    if (found._tag !== "Miss") seen.add(key)
    return found._tag === "Miss" ? here : found
  }, guard("look up a result"))

  const lookupNewest = Effect.fnUntraced(function* (key: string) {
    const there = yield* bring(key)
    const found = there._tag === "Hit" ? there : yield* entries.lookup(key)
    if (found._tag !== "Miss") seen.add(key)
    return found
  }, guard("look up a result"))

  return { put, share, lookup, lookupNewest }
}
