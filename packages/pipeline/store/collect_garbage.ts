import { Clock, Effect } from "effect"
import { chooseRunsToRemove, isOlder, type RunsToKeep } from "./choose_runs.ts"
import { announceCollection, type Lease, listLeases } from "./leases.ts"
import { addMentionedHashes } from "./mentioned_hashes.ts"
import type { RunFolders } from "./run_folders.ts"
import type { FolderItem, StoreFolder } from "./store_folder.ts"

/** What a collection of garbage keeps. */
export interface GarbageOptions extends RunsToKeep {
  /** Only tell what would be removed. */
  readonly dryRun?: boolean
  /** What was written less than so many milliseconds ago is not removed; an hour by default. */
  readonly grace?: number
}

/** How much of one kind was (or would be) removed, and how much is left. */
export interface GarbageCount {
  readonly removed: number
  readonly kept: number
}

/** What a collection of garbage did, or would do. */
export interface GarbageReport {
  readonly dryRun: boolean
  readonly runs: GarbageCount & { readonly names: ReadonlyArray<string> }
  readonly entries: GarbageCount
  readonly objects: GarbageCount
  readonly checkpoints: GarbageCount
  /** The sizes of all files that were removed. */
  readonly bytesFreed: number
  /** Things that nothing kept needs, left because they are younger than the grace period. */
  readonly tooYoung: number
}

const defaultGrace = 60 * 60 * 1000

/** How many days unfinished work of no known run is kept, unless it is said. */
const keepUnfinished = 30

/**
 * Removes what no kept run needs. Needed are the keys and contents that the files of kept runs name,
 * what the entries under those keys name, and what processes say that they use, or said before they
 * were killed.
 */
export const makeGarbageCollector = (at: StoreFolder, runs: RunFolders) => {
  const addMentionedByRun = Effect.fnUntraced(function* (run: string, to: Set<string>) {
    for (const file of yield* runs.files(run)) {
      if (/\.jsonl?$/.test(file.name)) yield* addMentionedHashes(at, file, to)
    }
  })

  const listCheckpoints = Effect.gen(function* () {
    const found: Array<FolderItem> = []
    for (const folder of yield* at.list(at.at("checkpoints"))) {
      const files = yield* at.list(folder.location)
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
      const times = files.map((file) => file.modified)
      const modified = times.length === 0 ? folder.modified : Math.max(...times)
      found.push({ ...folder, bytes, modified })
    }
    return found
  })

  /** Finds out what goes, and removes nothing. */
  const survey = Effect.fnUntraced(function* (options: GarbageOptions, now: number) {
    const isYoung = (item: { readonly modified: number }) =>
      now - item.modified < (options.grace ?? defaultGrace)
    const isUnfinishedKept = (age: number) => !isOlder(age, options.olderThan ?? keepUnfinished)

    // Leases before runs: a process that gives up its lease has written the manifest by then.
    const leases = yield* listLeases(at)
    const folders = yield* runs.list
    const running = new Set(leases.flatMap((lease) => (lease.alive ? lease.runs : [])))
    const removable = (yield* chooseRunsToRemove(runs, folders, options, now)).filter(
      ({ run }) => !running.has(run),
    )
    const goingRuns = new Set(removable.filter((run) => !isYoung(run)).map(({ run }) => run))
    const keptRuns = folders.flatMap(({ run }) => (goingRuns.has(run) ? [] : [run]))

    const isKeptLease = ({ alive, runs, age }: Lease) =>
      alive ||
      runs.some((run) => keptRuns.includes(run)) ||
      (runs.length === 0 && isUnfinishedKept(age))
    const needed = new Set(leases.filter(isKeptLease).flatMap((lease) => lease.hashes))
    for (const run of keptRuns) yield* addMentionedByRun(run, needed)
    const abandoned = new Set<string>()
    for (const run of goingRuns) yield* addMentionedByRun(run, abandoned)

    const entries = yield* at.listHashed("entries")
    const keys = new Set(entries.map(({ hash }) => hash))
    const [goingEntries, keptEntries] = partition(
      entries,
      (entry) => !needed.has(entry.hash) && !isYoung(entry),
    )
    const named = new Set(needed)
    for (const entry of keptEntries) yield* addMentionedHashes(at, entry, named)
    const objects = yield* at.listHashed("objects")
    const [goingObjects, keptObjects] = partition(
      objects,
      (object) => !named.has(object.hash) && !isYoung(object),
    )

    const used = new Set(leases.flatMap((lease) => (lease.alive ? lease.hashes : [])))
    const isKeptCheckpoint = ({ name: key, modified }: FolderItem) => {
      if (used.has(key)) return true
      if (keys.has(key)) return false
      return needed.has(key) || (!abandoned.has(key) && isUnfinishedKept(now - modified))
    }
    const [goingCheckpoints, keptCheckpoints] = partition(
      yield* listCheckpoints,
      (checkpoint) => !isYoung(checkpoint) && !isKeptCheckpoint(checkpoint),
    )
    return {
      leases: leases.filter((lease) => !isKeptLease(lease)),
      runs: { going: goingRuns, kept: keptRuns },
      entries: { going: goingEntries, kept: keptEntries },
      objects: { going: goingObjects, kept: keptObjects },
      checkpoints: { going: goingCheckpoints, kept: keptCheckpoints },
      tooYoung:
        removable.length -
        goingRuns.size +
        keptEntries.filter(({ hash }) => !needed.has(hash)).length +
        keptObjects.filter(({ hash }) => !named.has(hash)).length,
    }
  })

  const collect = Effect.fnUntraced(function* (options: GarbageOptions) {
    const dryRun = options.dryRun ?? false
    if (!dryRun) yield* announceCollection(at)
    const found = yield* survey(options, yield* Clock.currentTimeMillis)
    let bytesFreed = 0
    const remove = Effect.fnUntraced(function* (items: ReadonlyArray<FolderItem>) {
      for (const { bytes, location } of items) {
        bytesFreed += bytes
        if (!dryRun) yield* at.remove(location)
      }
    })
    // What names other things goes before them: cut off anywhere, nothing that is left lacks any.
    for (const run of found.runs.going) {
      for (const { bytes } of yield* runs.files(run)) bytesFreed += bytes
      if (!dryRun) yield* runs.remove(run)
    }
    for (const { location } of found.leases) if (!dryRun) yield* at.remove(location)
    yield* remove(found.entries.going)
    yield* remove(found.objects.going)
    yield* remove(found.checkpoints.going)
    const count = (of: {
      readonly going: ReadonlyArray<unknown>
      readonly kept: ReadonlyArray<unknown>
    }) => ({
      removed: of.going.length,
      kept: of.kept.length,
    })
    const names = [...found.runs.going]
    return {
      dryRun,
      runs: { removed: names.length, kept: found.runs.kept.length, names },
      entries: count(found.entries),
      objects: count(found.objects),
      checkpoints: count(found.checkpoints),
      bytesFreed,
      tooYoung: found.tooYoung,
    } satisfies GarbageReport
  })

  return (options: GarbageOptions) =>
    collect(options).pipe(Effect.scoped, at.guard("collect garbage"))
}

const partition = <A>(items: ReadonlyArray<A>, isFirst: (item: A) => boolean) => {
  const first: Array<A> = []
  const second: Array<A> = []
  for (const item of items) (isFirst(item) ? first : second).push(item)
  return [first, second] as const
}
