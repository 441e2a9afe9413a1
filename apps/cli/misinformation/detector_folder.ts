import { decodeDetector, type DetectorFormatError } from "@espalier/misinformation"
import { Effect, FileSystem, Path } from "effect"

/** Reads the folder that `espalier fmd train` wrote. */
export const readDetector = Effect.fnUntraced(function* (folder: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const files: Record<string, Uint8Array> = {}
  for (const name of ["detector.json", "vocabulary.json", "parameters.bin"]) {
    const bytes = yield* Effect.option(fileSystem.readFile(path.join(folder, name)))
    if (bytes._tag === "Some") files[name] = bytes.value
  }
  return yield* Effect.mapError(decodeDetector(files), (error): DetectorFormatError =>
    Object.assign(error, { file: path.join(folder, error.file) }),
  )
})
