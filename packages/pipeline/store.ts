import { randomUUID } from "node:crypto"
import { hostname } from "node:os"
import { type CheckpointStore, Notices } from "@espalier/runtime"
import {
  Clock,
  Context,
  Effect,
  FileSystem,
  Layer,
  Option,
  Path,
  type PlatformError,
  Schema,
} from "effect"
import type { Files } from "./artifact.ts"
import { canonicalJson, type Json, type JsonObject } from "./canonical_json.ts"
import { packCheckpoint, unpackCheckpoint } from "./checkpoint_file.ts"
import { describePlatformError } from "./pipeline_file.ts"
import { sha256, sha256Json, sha256Path } from "./sha256.ts"
import { StoreError } from "./store_error.ts"
import { EntryFile, type StoredFile, type StoredOutput, type StoreEntry } from "./store_entry.ts"

/** What the store says to a key. */
export type StoreLookup =
  | { readonly _tag: "Hit"; readonly entry: StoreEntry }
  | { readonly _tag: "Miss" }
  /** There was a result, and it is no longer what it was: `detail` says what is wrong. */
  | { readonly _tag: "Damaged"; readonly detail: string }

/** What the store does; see {@link Store}. */
export interface StoreService {
  /** The absolute folder. */
  readonly folder: string
  /** Keeps files and gives their hashes; what is there already is not written again. */
  readonly putFiles: (files: Files) => Effect.Effect<Record<string, StoredFile>, StoreError>
  /** Keeps one output of a step. */
  readonly putOutput: (type: string, files: Files) => Effect.Effect<StoredOutput, StoreError>
  /** Reads files back, each checked against its hash. */
  readonly readFiles: (
    files: Readonly<Record<string, StoredFile>>,
  ) => Effect.Effect<Files, StoreError>
  /** Copies one kept file to a place outside, by way of a temporary name there. */
  readonly copyTo: (
    file: StoredFile,
    target: string,
  ) => Effect.Effect<void, PlatformError.PlatformError>
  /** Keeps a finished step. Its files are kept first, so an entry never names what is not there. */
  readonly putEntry: (entry: StoreEntry) => Effect.Effect<void, StoreError>
  /** Looks a key up; a result counts only if every file of it is there and has its hash. */
  readonly lookup: (key: string) => Effect.Effect<StoreLookup, StoreError>
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
}

const staleAfter = 24 * 60 * 60 * 1000

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

const host = sha256(hostname()).slice(0, 12)

/** A name that nobody else takes and that tells who took it. */
const temporaryName = () => `${host}.${process.pid}.${randomUUID()}`

const make = Effect.fnUntraced(function* (location: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = path.resolve(location)
  const temporary = path.join(folder, "temporary")
  const verified = new Set<string>()

  const guard =
    (operation: string) =>
    <A, R>(
      effect: Effect.Effect<A, PlatformError.PlatformError, R>,
    ): Effect.Effect<A, StoreError, R> =>
      Effect.mapError(
        effect,
        (error) =>
          new StoreError({
            folder,
            operation,
            detail: describePlatformError(error),
            hint: "check the folder's rights and the space on the disk, or give another with --store DIR",
          }),
      )

  const fanOut = (kind: string, hash: string, ending = "") =>
    path.join(folder, kind, hash.slice(0, 2), hash.slice(2) + ending)

  /** Writes under a temporary name in the store and renames: readers see all of it or nothing. */
  const write = (target: string, content: Uint8Array | string) =>
    Effect.acquireUseRelease(
      Effect.sync(() => path.join(temporary, temporaryName())),
      (name) =>
        fileSystem
          .writeFile(
            name,
            typeof content === "string" ? new TextEncoder().encode(content) : content,
          )
          .pipe(
            Effect.andThen(fileSystem.makeDirectory(path.dirname(target), { recursive: true })),
            Effect.andThen(fileSystem.rename(name, target)),
          ),
      (name) => Effect.ignore(fileSystem.remove(name, { force: true })),
    )

  const readIfThere = (file: string) =>
    fileSystem.readFile(file).pipe(
      Effect.map(Option.some),
      Effect.catchIf(
        (error) => error.reason._tag === "NotFound",
        () => Effect.succeed(Option.none<Uint8Array>()),
      ),
    )

  /** Whether an object is what its name says. One that is not is taken away. */
  const verify = Effect.fnUntraced(function* (file: StoredFile) {
    if (verified.has(file.sha256)) return "sound" as const
    const object = fanOut("objects", file.sha256)
    if (!(yield* fileSystem.exists(object))) return "missing" as const
    const found = yield* Effect.option(
      Effect.provideService(
        Effect.provideService(sha256Path(object), FileSystem.FileSystem, fileSystem),
        Path.Path,
        path,
      ),
    )
    if (Option.isSome(found) && found.value.sha256 === file.sha256) {
      verified.add(file.sha256)
      return "sound" as const
    }
    yield* Effect.ignore(fileSystem.remove(object, { recursive: true, force: true }))
    return "damaged" as const
  })

  const putFiles = Effect.fnUntraced(function* (files: Files) {
    const stored: Record<string, StoredFile> = {}
    for (const [name, bytes] of Object.entries(files)) {
      if (!/^[\w-][\w.-]*$/.test(name)) {
        return yield* Effect.die(new RangeError(`"${name}" is not a plain file name`))
      }
      const file = { sha256: sha256(bytes), bytes: bytes.length }
      if ((yield* verify(file)) !== "sound") {
        yield* write(fanOut("objects", file.sha256), bytes)
        verified.add(file.sha256)
      }
      stored[name] = file
    }
    return stored
  }, guard("keep a result"))

  const readFiles = Effect.fnUntraced(function* (files: Readonly<Record<string, StoredFile>>) {
    const read: Record<string, Uint8Array> = {}
    for (const [name, file] of Object.entries(files)) {
      const bytes = yield* fileSystem
        .readFile(fanOut("objects", file.sha256))
        .pipe(guard("read a result"))
      if (sha256(bytes) !== file.sha256) {
        return yield* new StoreError({
          folder,
          operation: "read a result",
          detail: `the object ${file.sha256.slice(0, 12)} was damaged during the run`,
          hint: "run again: it is then computed anew",
        })
      }
      read[name] = bytes
    }
    return read
  })

  const copyTo = (file: StoredFile, target: string) =>
    Effect.acquireUseRelease(
      Effect.sync(() => path.join(path.dirname(target), `.${temporaryName()}`)),
      (name) =>
        fileSystem
          .makeDirectory(path.dirname(target), { recursive: true })
          .pipe(
            Effect.andThen(fileSystem.copyFile(fanOut("objects", file.sha256), name)),
            Effect.andThen(fileSystem.rename(name, target)),
          ),
      (name) => Effect.ignore(fileSystem.remove(name, { force: true })),
    )

  const putEntry = (entry: StoreEntry) =>
    Schema.encodeEffect(EntryFile)({ sha256: sha256Json(entry as unknown as Json), entry }).pipe(
      Effect.orDie,
      Effect.flatMap((text) => write(fanOut("entries", entry.key, ".json"), text)),
      guard("keep a result"),
    )

  const miss: StoreLookup = { _tag: "Miss" }
  const lookup = Effect.fnUntraced(function* (key: string) {
    const damaged = (detail: string): StoreLookup => ({ _tag: "Damaged", detail })
    const bytes = yield* readIfThere(fanOut("entries", key, ".json"))
    if (Option.isNone(bytes)) return miss
    const text = new TextDecoder().decode(bytes.value)
    const file = Schema.decodeUnknownOption(EntryFile)(text)
    if (
      Option.isNone(file) ||
      file.value.entry.key !== key ||
      sha256Json(file.value.entry) !== file.value.sha256
    ) {
      return damaged("its entry is not readable")
    }
    const { entry } = file.value
    const kept = Object.values(entry.outputs).flatMap((output) => Object.entries(output.files))
    for (const [name, stored] of [...kept, ...Object.entries(entry.files)]) {
      const state = yield* verify(stored)
      if (state !== "sound") return damaged(`${name} is ${state}`)
    }
    return { _tag: "Hit", entry } satisfies StoreLookup
  }, guard("look up a result"))

  const latestFile = (pipeline: string, step: string) =>
    path.join(folder, "latest", `p-${encodeURIComponent(pipeline)}`, `${step}.json`)

  const latest = (pipeline: string, step: string) =>
    readIfThere(latestFile(pipeline, step)).pipe(
      Effect.map(
        Option.flatMap((bytes) =>
          Schema.decodeUnknownOption(
            Schema.fromJsonString(Schema.Record(Schema.String, Schema.Json)),
          )(new TextDecoder().decode(bytes)),
        ),
      ),
      guard("read what ran last"),
    )

  const checkpointFolder = (key: string) => path.join(folder, "checkpoints", key)
  const checkpoints = (key: string): CheckpointStore => {
    const file = (name: string) => path.join(checkpointFolder(key), `c-${encodeURIComponent(name)}`)
    const speak = (what: string) => (error: PlatformError.PlatformError) =>
      Notices.report(`${what}: ${describePlatformError(error)}`)
    return {
      load: Effect.fnUntraced(
        function* (name: string) {
          const packed = yield* readIfThere(file(name))
          const files = Option.flatMap(packed, unpackCheckpoint)
          if (Option.isSome(packed) && Option.isNone(files)) {
            yield* Notices.report(`the checkpoint ${name} was damaged; starting from the beginning`)
          }
          return files
        },
        Effect.catch((error) =>
          Effect.as(speak("a checkpoint could not be read")(error), Option.none<Files>()),
        ),
      ),
      save: (name, files) =>
        Effect.suspend(() => write(file(name), packCheckpoint(files))).pipe(
          Effect.catch(speak("a checkpoint could not be written")),
        ),
      clear: (name) => Effect.ignore(fileSystem.remove(file(name), { force: true })),
    }
  }

  const sweep = Effect.fnUntraced(function* () {
    const now = yield* Clock.currentTimeMillis
    for (const name of yield* fileSystem.readDirectory(temporary)) {
      const [owner, pid] = name.split(".")
      const file = path.join(temporary, name)
      const info = yield* Effect.option(fileSystem.stat(file))
      const written = Option.flatMap(info, ({ mtime }) => mtime)
      const old = Option.isSome(written) && now - written.value.getTime() > staleAfter
      if (old || (owner === host && !isAlive(Number(pid)))) {
        yield* Effect.ignore(fileSystem.remove(file, { force: true }))
      }
    }
  })

  yield* fileSystem
    .makeDirectory(temporary, { recursive: true })
    .pipe(
      Effect.andThen(Effect.suspend(() => write(path.join(folder, "version"), "1\n"))),
      Effect.andThen(Effect.suspend(sweep)),
      guard("be opened"),
    )

  const store: StoreService = {
    folder,
    putFiles,
    putOutput: (type, files) =>
      Effect.map(putFiles(files), (stored) => {
        const hashes = Object.fromEntries(
          Object.entries(stored).map(([name, file]) => [name, file.sha256]),
        )
        return { type, sha256: sha256Json({ type, files: hashes }), files: stored }
      }),
    readFiles,
    copyTo,
    putEntry,
    lookup,
    putLatest: (pipeline, step, material) =>
      guard("remember what ran")(write(latestFile(pipeline, step), canonicalJson(material))),
    latest,
    checkpoints,
    clearCheckpoints: (key) =>
      guard("clear a checkpoint")(
        fileSystem.remove(checkpointFolder(key), { recursive: true, force: true }),
      ),
    writeRunFile: (run, name, text) => {
      const target = path.join(folder, "runs", run, name)
      return guard("write the record of a run")(Effect.as(write(target, text), target))
    },
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
    return Layer.effect(Store, make(folder))
  }
}
