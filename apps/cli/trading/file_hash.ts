import { unreadable } from "@espalier/pipeline"
import { Effect, FileSystem, Stream } from "effect"
import { createHash } from "node:crypto"

/** The SHA-256 of a file, read in pieces. */
export const hashFile = Effect.fnUntraced(function* (path: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const hash = createHash("sha256")
  yield* fileSystem.stream(path).pipe(
    Stream.runForEach((piece) => Effect.sync(() => void hash.update(piece))),
    Effect.mapError(unreadable(path)),
  )
  return hash.digest("hex")
})
