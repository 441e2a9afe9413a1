import { Effect, Option, Stream } from "effect"
import type { Files } from "../../artifact.ts"
import { startSha256 } from "../../sha256.ts"
import type { StoredFile } from "../../store_entry.ts"
import { StoreError } from "../../store_error.ts"
import type { OwnLease } from "../leases.ts"
import type { Objects } from "../objects.ts"
import type { StoreFolder } from "../store_folder.ts"
import type { Remote } from "./remote.ts"
import type { RemoteGuard } from "./remote_guard.ts"

/** Where a content lies in a remote: as in a store's folder. */
const nameOf = ({ sha256 }: StoredFile) => `objects/${sha256.slice(0, 2)}/${sha256.slice(2)}`

/** Contents in a folder, each of them in the remote too: what is kept is sent, what is missing is fetched. */
export const makeSharedObjects = (
  at: StoreFolder,
  lease: OwnLease,
  objects: Objects,
  remote: Remote,
  guard: RemoteGuard,
) => {
  const { fileSystem } = at
  /** What is known to be there, so that it is asked for once. */
  const there = new Set<string>()
  /** What was found to be there and not to be what its name says: it is sent again. */
  const damaged = new Set<string>()

  const isThere = (file: StoredFile) =>
    Effect.map(remote.size(nameOf(file)), Option.contains(file.bytes))

  /** Sends a content of the folder, unless it is there. */
  const send = Effect.fnUntraced(function* (file: StoredFile) {
    const { sha256, bytes } = file
    if (there.has(sha256)) return
    if (damaged.has(sha256) || !(yield* isThere(file))) {
      const read = (offset: number, length: number) =>
        Stream.mkUint8Array(
          fileSystem.stream(objects.locate(file), { offset, bytesToRead: length }),
        )
      yield* remote.put(nameOf(file), { bytes, read })
    }
    damaged.delete(sha256)
    there.add(sha256)
  })

  /** Writes down what comes, and gives its hash. More than was expected is not waited for. */
  const receive = (draft: string, { bytes }: StoredFile) =>
    Effect.fnUntraced(function* <E>(body: Stream.Stream<Uint8Array, E>) {
      const hash = startSha256()
      let received = 0
      yield* body.pipe(
        Stream.tap((piece) =>
          Effect.sync(() => {
            hash.add(piece)
            received += piece.length
          }),
        ),
        Stream.takeUntil(() => received > bytes),
        Stream.run(fileSystem.sink(draft)),
      )
      return hash.end()
    })

  /** Fetches a content into the folder, where it is what its name says. */
  const fetch = (file: StoredFile) =>
    at.withDraft(
      Effect.fnUntraced(function* (draft) {
        const found = yield* remote.get(nameOf(file), receive(draft, file))
        if (Option.isNone(found)) return "missing" as const
        if (found.value !== file.sha256) {
          damaged.add(file.sha256)
          return "damaged" as const
        }
        yield* lease.use([file.sha256])
        yield* objects.adopt(draft, file)
        there.add(file.sha256)
        return "sound" as const
      }),
    )

  /** Makes sure that a content is in the folder, whole. */
  const bring = Effect.fnUntraced(function* (file: StoredFile) {
    return (yield* objects.verify(file)) === "sound" ? ("sound" as const) : yield* fetch(file)
  })

  /** The same for what is about to be read and checked then. */
  const bringToRead = Effect.fnUntraced(function* (name: string, file: StoredFile) {
    const info = yield* at.statIfThere(objects.locate(file))
    if (Option.exists(info, ({ size }) => Number(size) === file.bytes)) return
    const state = yield* fetch(file)
    if (state === "sound") return
    return yield* new StoreError({
      folder: remote.address,
      operation: "read a result",
      detail: `the content of ${name} (${file.sha256.slice(0, 12)}) is ${state}`,
      hint: "run again with this remote: what is not whole is computed anew",
    })
  }, guard("read a result"))

  return {
    isThere,
    send,
    bring,
    putFiles: (files: Files) =>
      Effect.tap(objects.putFiles(files), (stored) =>
        guard("keep a result")(Effect.forEach(Object.values(stored), send, { discard: true })),
      ),
    putFile: (location: string) =>
      Effect.tap(objects.putFile(location), (file) => guard("keep a file")(send(file))),
    readFiles: (files: Readonly<Record<string, StoredFile>>) =>
      Effect.andThen(
        Effect.forEach(Object.entries(files), ([name, file]) => bringToRead(name, file), {
          discard: true,
        }),
        objects.readFiles(files),
      ),
    copyTo: (file: StoredFile, target: string) =>
      Effect.andThen(bringToRead(at.path.basename(target), file), objects.copyTo(file, target)),
  }
}

/** See {@link makeSharedObjects}. */
export type SharedObjects = ReturnType<typeof makeSharedObjects>
