import { Clock, Effect, Option, Schedule } from "effect"
import { isOwnerAlive, uniqueName } from "./process_name.ts"
import type { StoreFolder } from "./store_folder.ts"

// Runs and collections of garbage keep out of each other's way like this. A process writes into its
// lease what it is going to use, and only then looks whether a collection is going on; if so, it
// waits for its end before it looks at the store. A collection first says that it is going on, and
// only then reads the leases. So either the collection knows of the use, or the user of the collection.

/** How often a process says that it is still there, and after what silence it counts as gone. */
const pulse = {
  leases: { every: 60_000, silence: 60 * 60_000 },
  collections: { every: 5_000, silence: 60_000 },
}

type Kind = keyof typeof pulse

/** What a process said that it uses. */
export interface Lease {
  readonly location: string
  readonly alive: boolean
  /** Milliseconds since its process last said that it was there. */
  readonly age: number
  /** Keys and hashes of contents. */
  readonly hashes: ReadonlyArray<string>
  readonly runs: ReadonlyArray<string>
}

/** Puts up a file for as long as the scope is open. */
const announce = Effect.fnUntraced(function* (at: StoreFolder, kind: Kind) {
  const file = at.at(kind, uniqueName())
  const { fileSystem } = at
  yield* Effect.acquireRelease(
    fileSystem
      .makeDirectory(at.at(kind), { recursive: true })
      .pipe(Effect.andThen(fileSystem.writeFileString(file, ""))),
    () => Effect.ignore(at.remove(file)),
  )
  const beat = Effect.flatMap(Clock.currentTimeMillis, (now) =>
    fileSystem.utimes(file, new Date(now), new Date(now)),
  )
  yield* Effect.ignore(beat).pipe(
    Effect.schedule(Schedule.spaced(pulse[kind].every)),
    Effect.forkScoped,
  )
  return file
})

const listFiles = Effect.fnUntraced(function* (at: StoreFolder, kind: Kind) {
  const now = yield* Clock.currentTimeMillis
  return (yield* at.list(at.at(kind))).map((item) => {
    const age = now - item.modified
    return { ...item, age, alive: isOwnerAlive(item.name, age, pulse[kind].silence) }
  })
})

/** What the processes at this store use, or used when they were killed. */
export const listLeases = Effect.fnUntraced(function* (at: StoreFolder) {
  const leases: Array<Lease> = []
  for (const { location, age, alive } of yield* listFiles(at, "leases")) {
    const bytes = yield* at.readIfThere(location)
    if (Option.isNone(bytes)) continue
    const lines = new TextDecoder().decode(bytes.value).split("\n")
    leases.push({
      location,
      age,
      alive,
      hashes: lines.filter((line) => /^[0-9a-f]{64}$/.test(line)),
      runs: lines.flatMap((line) => (line.startsWith("run ") ? [line.slice(4)] : [])),
    })
  }
  return leases
})

/** Says that a collection of garbage is going on, for as long as the scope is open. */
export const announceCollection = (at: StoreFolder) => announce(at, "collections")

/** The collections that are going on. */
const listCollections = (at: StoreFolder) =>
  Effect.map(listFiles(at, "collections"), (files) =>
    files.flatMap(({ name, alive }) => (alive ? [name] : [])),
  )

/** Waits for the end of what goes on now. What begins later knows of all that was said before. */
const awaitCollections = Effect.fnUntraced(function* (at: StoreFolder) {
  let awaited = yield* listCollections(at)
  while (awaited.length > 0) {
    yield* Effect.sleep(10)
    const going = yield* listCollections(at)
    awaited = awaited.filter((name) => going.includes(name))
  }
})

/** Whether a process left something behind that nobody needs: no word of what it used. */
const isSpent = (lease: Lease) =>
  !lease.alive && lease.hashes.length === 0 && lease.runs.length === 0

/** Takes away what processes left that are gone. */
export const sweepLeases = Effect.fnUntraced(function* (at: StoreFolder) {
  for (const file of yield* listFiles(at, "collections")) {
    if (!file.alive) yield* at.remove(file.location)
  }
  for (const lease of yield* listLeases(at)) {
    if (isSpent(lease)) yield* at.remove(lease.location)
  }
})

/** The lease of this store, for as long as the scope is open. */
export const openLease = Effect.fnUntraced(function* (at: StoreFolder) {
  const file = yield* at.fileSystem.open(yield* announce(at, "leases"), { flag: "a" })
  const encoder = new TextEncoder()
  const written = new Set<string>()
  /**
   * Says what is going to be used (a key, the hash of a content, or `run NAME`) and waits for the end
   * of a collection, if one is going on: what is said is safe from then on.
   */
  const use = Effect.fnUntraced(function* (names: ReadonlyArray<string>) {
    const fresh = names.filter((name) => !written.has(name))
    if (fresh.length === 0) return
    yield* file.writeAll(encoder.encode(`${fresh.join("\n")}\n`))
    yield* awaitCollections(at)
    for (const name of fresh) written.add(name)
  })
  return { use }
})

/** See {@link openLease}. */
export type OwnLease = Effect.Success<ReturnType<typeof openLease>>
