import { Effect, Option, Stream } from "effect"
import type { Files } from "../artifact.ts"
import { sha256, startSha256 } from "../sha256.ts"
import type { StoredFile } from "../store_entry.ts"
import { StoreError } from "../store_error.ts"
import type { OwnLease } from "./leases.ts"
import { isPlainName } from "./names.ts"
import { uniqueName } from "./process_name.ts"
import type { StoreFolder } from "./store_folder.ts"

/** Contents are read, never written again; taking away and replacing need no right to the file itself. */
const readOnly = 0o444

/** Contents up to this size are read at once. */
const smallBytes = 1 << 20

/** Contents under their own hash. */
export const makeObjects = (at: StoreFolder, lease: OwnLease) => {
  const { fileSystem, path } = at
  const objectOf = ({ sha256 }: StoredFile) => at.fanOut("objects", sha256)

  const hashInPieces = (file: string) =>
    Effect.suspend(() => {
      const hash = startSha256()
      return fileSystem.stream(file, { chunkSize: 1 << 20 }).pipe(
        Stream.runForEach((piece) => Effect.sync(() => hash.add(piece))),
        Effect.map(hash.end),
      )
    })

  const hashFile = (file: string, bytes: number) =>
    bytes <= smallBytes ? Effect.map(fileSystem.readFile(file), sha256) : hashInPieces(file)

  /** Whether a content is there and is what its name says. */
  const verify = Effect.fnUntraced(function* (file: StoredFile) {
    const object = objectOf(file)
    const info = yield* at.statIfThere(object)
    if (Option.isNone(info)) return "missing" as const
    if (info.value.type !== "File" || Number(info.value.size) !== file.bytes) {
      return "damaged" as const
    }
    const found = yield* Effect.option(hashFile(object, file.bytes))
    return Option.contains(found, file.sha256) ? ("sound" as const) : ("damaged" as const)
  })

  /** Damage may have left something that no file can replace, such as a folder: it goes first. */
  const replacing = <A, E>(file: StoredFile, put: Effect.Effect<A, E>) =>
    Effect.catch(put, () => Effect.andThen(at.remove(objectOf(file)), put))

  /** Puts a whole and checked file in place, unless its content is there already. */
  const adopt = Effect.fnUntraced(function* (draft: string, file: StoredFile) {
    if ((yield* verify(file)) === "sound") return
    yield* fileSystem.chmod(draft, readOnly)
    yield* replacing(file, at.putInPlace(draft, objectOf(file)))
  })

  const putFiles = Effect.fnUntraced(function* (files: Files) {
    const stored: Record<string, StoredFile> = {}
    for (const [name, bytes] of Object.entries(files)) {
      if (!isPlainName(name)) {
        return yield* Effect.die(new RangeError(`"${name}" is not a plain file name`))
      }
      stored[name] = { sha256: sha256(bytes), bytes: bytes.length }
    }
    yield* lease.use(Object.values(stored).map((file) => file.sha256))
    for (const [name, file] of Object.entries(stored)) {
      if ((yield* verify(file)) === "sound") continue
      yield* replacing(file, at.write(objectOf(file), files[name], readOnly))
    }
    return stored
  }, at.guard("keep a result"))

  const describe = Effect.fnUntraced(function* (location: string) {
    const bytes = Number((yield* fileSystem.stat(location)).size)
    return { sha256: yield* hashFile(location, bytes), bytes }
  })

  /** The file may change at any time: what counts is what the copy holds. */
  const putFile = Effect.fnUntraced(function* (location: string) {
    const known = yield* describe(location)
    yield* lease.use([known.sha256])
    if ((yield* verify(known)) === "sound") return known
    return yield* at.withDraft(
      Effect.fnUntraced(function* (draft) {
        yield* fileSystem.copyFile(location, draft)
        const file = yield* describe(draft)
        yield* lease.use([file.sha256])
        yield* adopt(draft, file)
        return file
      }),
    )
  })

  const damaged = (name: string, { sha256 }: StoredFile, operation: string) =>
    new StoreError({
      folder: at.folder,
      operation,
      detail: `the content of ${name} (${sha256.slice(0, 12)}) was damaged`,
      hint: "run again: what is damaged is computed anew",
    })

  const readFiles = Effect.fnUntraced(function* (files: Readonly<Record<string, StoredFile>>) {
    const read: Record<string, Uint8Array> = {}
    for (const [name, file] of Object.entries(files)) {
      const bytes = yield* fileSystem.readFile(objectOf(file))
      if (sha256(bytes) !== file.sha256) return yield* damaged(name, file, "read a result")
      read[name] = bytes
    }
    return read
  }, at.guard("read a result"))

  /** Errors of the disk are told as they are: whoever names the target knows what to do. */
  const copyTo = (file: StoredFile, target: string) =>
    Effect.acquireUseRelease(
      Effect.sync(() => path.join(path.dirname(target), `.${uniqueName()}`)),
      Effect.fnUntraced(function* (draft) {
        yield* fileSystem.makeDirectory(path.dirname(target), { recursive: true })
        yield* fileSystem.copyFile(objectOf(file), draft)
        if ((yield* hashFile(draft, file.bytes)) !== file.sha256) {
          return yield* damaged(path.basename(target), file, "copy a result")
        }
        yield* fileSystem.chmod(draft, 0o644)
        yield* fileSystem.rename(draft, target)
      }),
      (draft) => Effect.ignore(fileSystem.remove(draft, { force: true })),
    )

  return { locate: objectOf, verify, adopt, putFiles, putFile, readFiles, copyTo }
}

/** See {@link makeObjects}. */
export type Objects = ReturnType<typeof makeObjects>
