import { findDataFolder, locateInputFile } from "@espalier/pipeline"
import { Effect, FileSystem, type Option, Stream } from "effect"
import { createHash } from "node:crypto"
import { dataFolderOptions } from "../command_line/application.ts"

/** The path of a file that a flag names; `data:…` is in the data folder. */
export const locateFile = Effect.fnUntraced(function* (
  given: string,
  flag: string,
  data: Option.Option<string>,
) {
  return yield* locateInputFile({
    given,
    folder: process.cwd(),
    dataFolder: yield* findDataFolder(dataFolderOptions(data)),
    place: { file: `${flag} ${given}`, at: "" },
    relativeTo: "the current folder",
  })
})

/** The hash of a file of any size; of one that cannot be read that of nothing: whoever reads it will say so. */
export const hashFile = Effect.fnUntraced(function* (path: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const hash = createHash("sha256")
  yield* Effect.ignore(
    Stream.runForEach(fileSystem.stream(path), (bytes) => Effect.sync(() => hash.update(bytes))),
  )
  return hash.digest("hex")
})
