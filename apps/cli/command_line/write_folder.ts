import { CheckpointExists, CheckpointFileError } from "@espalier/models"
import type { Files } from "@espalier/pipeline"
import { Effect, FileSystem, Path } from "effect"

/** What a person hears where the results cannot be kept. */
export const unwritable =
  (path: string) =>
  (error: { readonly message: string }): CheckpointFileError =>
    new CheckpointFileError({
      path,
      operation: "write",
      detail: error.message,
      hint: "Check the rights of the folder and the space on the disk.",
    })

/** Says before the work begins that there is something where its result should be. */
export const refuseExisting = Effect.fnUntraced(function* (final: string) {
  const fileSystem = yield* FileSystem.FileSystem
  if (yield* Effect.orElseSucceed(fileSystem.exists(final), () => false)) {
    const hint = "Choose another name, or remove it first."
    return yield* new CheckpointExists({ path: final, hint })
  }
})

/** Writes files to the folder `draft`, and gives it its name `final` when all of them are there. */
export const writeFolder = Effect.fnUntraced(function* (
  files: Files,
  draft: string,
  final: string,
) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const write = Effect.gen(function* () {
    yield* fileSystem.remove(draft, { recursive: true, force: true })
    yield* fileSystem.makeDirectory(draft, { recursive: true })
    for (const [name, bytes] of Object.entries(files)) {
      const file = yield* fileSystem.open(path.join(draft, name), { flag: "w" })
      yield* file.writeAll(bytes)
      yield* file.sync
    }
    yield* fileSystem.rename(draft, final)
  })
  yield* Effect.mapError(Effect.scoped(write), unwritable(final))
})
