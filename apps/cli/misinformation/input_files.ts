import { Effect, FileSystem, Stream } from "effect"
import { createHash } from "node:crypto"

/** The hash of a file of any size; of one that cannot be read that of nothing: whoever reads it will say so. */
export const hashFile = Effect.fnUntraced(function* (path: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const hash = createHash("sha256")
  yield* Effect.ignore(
    Stream.runForEach(fileSystem.stream(path), (bytes) => Effect.sync(() => hash.update(bytes))),
  )
  return hash.digest("hex")
})
