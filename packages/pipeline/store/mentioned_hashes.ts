import { Effect, Stream } from "effect"
import type { FolderItem, StoreFolder } from "./store_folder.ts"

const length = 64

/** Files up to this size are read at once. */
const smallBytes = 1 << 20

/**
 * Adds every hash that a text file names, wherever it stands in it. What is told to be needed like
 * this is rather too much than too little, whoever wrote the file and however whole it is. A file
 * that has gone names nothing.
 */
export const addMentionedHashes = (at: StoreFolder, file: FolderItem, to: Set<string>) => {
  const add = (text: string) => {
    for (const [hash] of text.matchAll(/[0-9a-f]{64}/g)) to.add(hash)
  }
  const whole = Effect.map(at.fileSystem.readFileString(file.location), add)
  const pieces = Effect.suspend(() => {
    let rest = ""
    return at.fileSystem.stream(file.location, { chunkSize: smallBytes }).pipe(
      Stream.decodeText(),
      Stream.runForEach((piece) =>
        Effect.sync(() => {
          add(rest + piece)
          rest = (rest + piece).slice(-length)
        }),
      ),
    )
  })
  return Effect.catchIf(
    file.bytes <= smallBytes ? whole : pieces,
    (error) => error.reason._tag === "NotFound",
    () => Effect.void,
  )
}
