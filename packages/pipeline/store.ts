import type { CheckpointStore } from "@espalier/runtime"
import {
  Clock,
  Context,
  Effect,
  type FileSystem,
  Layer,
  type Option,
  type Path,
  type PlatformError,
} from "effect"
import type { Files } from "./artifact.ts"
import type { JsonObject } from "./canonical_json.ts"
import { sha256Json } from "./sha256.ts"
import type {
  ArchiveExists,
  ArchiveFileError,
  InvalidArchive,
  RunExists,
  RunIncomplete,
} from "./store/archive_error.ts"
import { makeCheckpoints } from "./store/checkpoints.ts"
import {
  type GarbageOptions,
  type GarbageReport,
  makeGarbageCollector,
} from "./store/collect_garbage.ts"
import { makeEntries, type StoreLookup } from "./store/entries.ts"
import { type ExportReport, makeExporter } from "./store/export_runs.ts"
import { type ImportReport, makeImporter } from "./store/import_runs.ts"
import { openLease, sweepLeases } from "./store/leases.ts"
import { makeObjects } from "./store/objects.ts"
import { isOwnerAlive } from "./store/process_name.ts"
import { type LocalParts, openRemote, type RemoteOptions } from "./store/remote/open_remote.ts"
import { isRemoteError, type RemoteError } from "./store/remote/remote_error.ts"
import { makeRunFolders, type RunFolder, type UnknownRun } from "./store/run_folders.ts"
import { openStoreFolder, type StoreFolder } from "./store/store_folder.ts"
import { makeUsage, type StoreUsage } from "./store/usage.ts"
import type { StoredFile, StoredOutput, StoreEntry } from "./store_entry.ts"
import type { StoreError } from "./store_error.ts"

/** What the store does; see {@link Store}. */
export interface StoreService {
  /** The absolute folder. */
  readonly folder: string
  /** The address of the remote behind it, if there is one. */
  readonly remote: string | undefined
  /** Keeps files and gives their hashes; what is there already is not written again. */
  readonly putFiles: (files: Files) => Effect.Effect<Record<string, StoredFile>, StoreError>
  /**
   * Keeps a file from outside under the hash of its content, read in pieces; what is there already is
   * not written again.
   */
  readonly putFile: (
    location: string,
  ) => Effect.Effect<StoredFile, StoreError | PlatformError.PlatformError>
  /** Keeps one output of a step. */
  readonly putOutput: (type: string, files: Files) => Effect.Effect<StoredOutput, StoreError>
  /** Reads files back, each checked against its hash. */
  readonly readFiles: (
    files: Readonly<Record<string, StoredFile>>,
  ) => Effect.Effect<Files, StoreError>
  /**
   * Copies one kept file to a place outside, by way of a temporary name there; the copy is checked
   * against its hash before it gets its name.
   */
  readonly copyTo: (
    file: StoredFile,
    target: string,
  ) => Effect.Effect<void, StoreError | PlatformError.PlatformError>
  /**
   * Keeps a finished step. Its files are kept first, so an entry never names what is not there. Gives
   * the result that stands: with a remote it is another one's who was first.
   */
  readonly putEntry: (entry: StoreEntry) => Effect.Effect<StoreEntry, StoreError>
  /** Looks a key up; a result counts only if every file of it is there and has its hash. */
  readonly lookup: (key: string) => Effect.Effect<StoreLookup, StoreError>
  /** The same, but what others put into the remote meanwhile counts more than what is in the folder. */
  readonly lookupNewest: (key: string) => Effect.Effect<StoreLookup, StoreError>
  /** Sends a result from the folder to the remote, unless it is there; does nothing without a remote. */
  readonly share: (entry: StoreEntry) => Effect.Effect<void, StoreError>
  /** Remembers what a step of a pipeline was made from last, to explain the next miss. */
  readonly putLatest: (
    pipeline: string,
    step: string,
    material: JsonObject,
  ) => Effect.Effect<void, StoreError>
  /** What a step of a pipeline was made from last. */
  readonly latest: (
    pipeline: string,
    step: string,
  ) => Effect.Effect<Option.Option<JsonObject>, StoreError>
  /** The checkpoints of one step key. */
  readonly checkpoints: (key: string) => CheckpointStore
  /** Forgets all checkpoints of a step key. */
  readonly clearCheckpoints: (key: string) => Effect.Effect<void, StoreError>
  /** Writes a file of a run's own folder and gives its path. */
  readonly writeRunFile: (
    run: string,
    name: string,
    text: string,
  ) => Effect.Effect<string, StoreError>
  /** Adds to the end of a file of a run's own folder, in one write. */
  readonly appendRunFile: (
    run: string,
    name: string,
    text: string,
  ) => Effect.Effect<void, StoreError>
  /** Reads a file of a run's own folder; none where there is no such run or file. */
  readonly readRunFile: (
    run: string,
    name: string,
  ) => Effect.Effect<Option.Option<Uint8Array>, StoreError>
  /** All runs, the one that was written to last first. */
  readonly listRuns: Effect.Effect<ReadonlyArray<RunFolder>, StoreError>
  /** Gives the name of a run back if there is such a run. */
  readonly findRun: (run: string) => Effect.Effect<string, UnknownRun | StoreError>
  /** Removes the record of a run; its results stay until garbage is collected. */
  readonly removeRun: (run: string) => Effect.Effect<void, StoreError>
  /** What is there, by run, by step and in all. */
  readonly usage: Effect.Effect<StoreUsage, StoreError>
  /**
   * Removes what no kept run needs, and the runs that are not to be kept. What a process at this
   * store uses, on this machine or another, stays; so does what a killed run had done, and what is
   * younger than the grace period.
   */
  readonly collectGarbage: (options?: GarbageOptions) => Effect.Effect<GarbageReport, StoreError>
  /**
   * Writes runs into a tar file, with all their results: whoever imports it has them cached. The
   * file gets its name when it is whole.
   */
  readonly exportRuns: (
    runs: ReadonlyArray<string>,
    file: string,
  ) => Effect.Effect<
    ExportReport,
    StoreError | UnknownRun | RunIncomplete | ArchiveExists | ArchiveFileError
  >
  /**
   * Takes in the runs of such a file. Everything is checked against its hash first; a file that is
   * not sound changes nothing. Hashes show damage, not intent: what was computed is believed.
   */
  readonly importRuns: (
    file: string,
  ) => Effect.Effect<ImportReport, StoreError | InvalidArchive | RunExists | ArchiveFileError>
}

const staleAfter = 24 * 60 * 60 * 1000

/** Takes away what processes that are gone had begun to write. */
const sweepDrafts = Effect.fnUntraced(function* (at: StoreFolder) {
  const now = yield* Clock.currentTimeMillis
  for (const { name, location, modified } of yield* at.list(at.at("temporary"))) {
    if (!isOwnerAlive(name, now - modified, staleAfter)) yield* Effect.ignore(at.remove(location))
  }
})

/** The parts that a remote takes part in, where there is none. */
const withoutRemote = ({ objects, entries, checkpoints }: LocalParts) => ({
  objects,
  entries: {
    put: (entry: StoreEntry) => Effect.as(entries.put(entry), entry),
    share: () => Effect.void,
    lookup: entries.lookup,
    lookupNewest: entries.lookup,
  },
  checkpoints,
})

const make = Effect.fnUntraced(function* (location: string, behind?: RemoteOptions) {
  const at = yield* openStoreFolder(location)
  const open = Effect.gen(function* () {
    yield* at.fileSystem.makeDirectory(at.at("temporary"), { recursive: true })
    yield* at.write(at.at("version"), "1\n")
    yield* sweepDrafts(at)
    yield* sweepLeases(at)
    return yield* openLease(at)
  })
  const lease = yield* at.guard("be opened")(open)
  const objects = makeObjects(at, lease)
  const entries = makeEntries(at, lease, objects)
  const runs = makeRunFolders(at, lease)
  const local = { lease, objects, entries, checkpoints: makeCheckpoints(at, lease) }
  const shared = behind === undefined ? withoutRemote(local) : yield* openRemote(at, local, behind)
  const collect = makeGarbageCollector(at, runs)
  const store: StoreService = {
    folder: at.folder,
    remote: behind?.remote.address,
    putFiles: shared.objects.putFiles,
    putFile: shared.objects.putFile,
    putOutput: (type, files) =>
      Effect.map(shared.objects.putFiles(files), (stored) => {
        const hashes = Object.fromEntries(
          Object.entries(stored).map(([name, file]) => [name, file.sha256]),
        )
        return { type, sha256: sha256Json({ type, files: hashes }), files: stored }
      }),
    readFiles: shared.objects.readFiles,
    copyTo: shared.objects.copyTo,
    putEntry: shared.entries.put,
    lookup: shared.entries.lookup,
    lookupNewest: shared.entries.lookupNewest,
    share: shared.entries.share,
    putLatest: entries.putLatest,
    latest: entries.latest,
    checkpoints: shared.checkpoints.checkpoints,
    clearCheckpoints: shared.checkpoints.clear,
    writeRunFile: runs.write,
    appendRunFile: runs.append,
    readRunFile: runs.read,
    listRuns: at.guard("list the runs")(runs.list),
    findRun: runs.find,
    removeRun: (run) => at.guard("remove a run")(runs.remove(run)),
    usage: makeUsage(at, runs),
    collectGarbage: (options = {}) => collect(options),
    exportRuns: makeExporter(at, { lease, entries, runs }),
    importRuns: makeImporter(at, { lease, objects, entries, runs }),
  }
  return store
})

/**
 * A content-addressed store in a folder. Contents lie under their own SHA-256, results under the key
 * of what they were made from; everything is written under a temporary name in the same store and
 * renamed, so several processes may use one store and a killed one leaves nothing half written.
 * What it left under temporary names is swept away when the store is opened next.
 *
 * @example
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { Store } from "@espalier/pipeline"
 *
 * const hash = Effect.gen(function* () {
 *   const store = yield* Store
 *   const files = yield* store.putFiles({ "note.txt": new TextEncoder().encode("hello") })
 *   return files["note.txt"].sha256
 * })
 * await hash.pipe(
 *   Effect.provide(Store.layer(".espalier").pipe(Layer.provide(NodeServices.layer))),
 *   Effect.runPromise,
 * )
 * ```
 */
export class Store extends Context.Service<Store, StoreService>()("@espalier/pipeline/Store") {
  /** Opens the store in a folder and makes the folder where it is missing. */
  static layer(folder: string): Layer.Layer<Store, StoreError, FileSystem.FileSystem | Path.Path> {
    return Layer.effect(Store, make(folder).pipe(Effect.catchIf(isRemoteError, Effect.die)))
  }

  /**
   * Opens the store in a folder with a remote behind it that several stores share: what is not in the
   * folder is fetched from there, and what is kept is put there too. Everything that comes from there
   * is checked against its hash. Runs, and what garbage is collected, are the folder's alone.
   *
   * Fails where the remote cannot be used: see `RemoteError`. What fails later is a `StoreError`.
   *
   * @example
   * ```ts
   * import { Effect, Layer } from "effect"
   * import { s3RemoteFromEnvironment, Store } from "@espalier/pipeline"
   *
   * // AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL_S3 say the rest.
   * const store = Layer.unwrap(
   *   Effect.map(s3RemoteFromEnvironment("s3://bucket/prefix"), (remote) =>
   *     Store.layerWithRemote(".espalier", { remote }),
   *   ),
   * )
   * console.log(Layer.isLayer(store)) // true
   * ```
   */
  static layerWithRemote(
    folder: string,
    options: RemoteOptions,
  ): Layer.Layer<Store, StoreError | RemoteError, FileSystem.FileSystem | Path.Path> {
    return Layer.effect(Store, make(folder, options))
  }
}
