import { Effect, FileSystem, type Layer, PlatformError, Stream } from "effect"

/** A file system that holds these texts, which come in pieces of `piece` bytes. */
export const memoryFiles = (
  files: Readonly<Record<string, string>>,
  piece = 7,
): Layer.Layer<FileSystem.FileSystem> =>
  FileSystem.layerNoop({
    stream: (path) => {
      const text = files[path]
      if (text === undefined) {
        const error = PlatformError.systemError({
          _tag: "NotFound",
          module: "FileSystem",
          method: "stream",
          pathOrDescriptor: path,
        })
        return Stream.fromEffect(Effect.fail(error))
      }
      const bytes = new TextEncoder().encode(text)
      const count = Math.ceil(bytes.length / piece)
      return Stream.fromIterable(
        Array.from({ length: count }, (_, i) => bytes.slice(i * piece, (i + 1) * piece)),
      )
    },
  })
