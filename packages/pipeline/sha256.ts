import { createHash } from "node:crypto"
import { Effect, FileSystem, Path, type PlatformError, Stream } from "effect"
import { canonicalJson, type Json } from "./canonical_json.ts"

/** The SHA-256 of bytes or of a text in UTF-8, as 64 hexadecimal digits. */
export const sha256 = (content: Uint8Array | string): string =>
  createHash("sha256").update(content).digest("hex")

/** The SHA-256 of a value's canonical JSON. */
export const sha256Json = (value: Json): string => sha256(canonicalJson(value))

/** Takes the SHA-256 of a content that comes in pieces. */
export const startSha256 = () => {
  const hash = createHash("sha256")
  return {
    add: (piece: Uint8Array): void => void hash.update(piece),
    /** The hash of all that was added; to be asked for once. */
    end: (): string => hash.digest("hex"),
  }
}

/** The SHA-256 and size of a file, read in pieces. */
const sha256File = Effect.fnUntraced(function* (file: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const hash = startSha256()
  let bytes = 0
  yield* Stream.runForEach(fileSystem.stream(file, { chunkSize: 1 << 20 }), (chunk) =>
    Effect.sync(() => {
      hash.add(chunk)
      bytes += chunk.length
    }),
  )
  return { sha256: hash.end(), bytes }
})

/**
 * The content hash of a file, or of a folder: the hash of the canonical JSON of its entries' hashes
 * by name, so that it depends on names and contents and on nothing else.
 */
export const sha256Path = (
  location: string,
): Effect.Effect<
  { readonly sha256: string; readonly bytes: number },
  PlatformError.PlatformError,
  FileSystem.FileSystem | Path.Path
> =>
  Effect.gen(function* () {
    const fileSystem = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const info = yield* fileSystem.stat(location)
    if (info.type !== "Directory") return yield* sha256File(location)
    const names = (yield* fileSystem.readDirectory(location)).toSorted()
    const hashes: Record<string, string> = {}
    let bytes = 0
    for (const name of names) {
      const entry = yield* sha256Path(path.join(location, name))
      hashes[name] = entry.sha256
      bytes += entry.bytes
    }
    return { sha256: sha256Json(hashes), bytes }
  })
