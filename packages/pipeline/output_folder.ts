import { Effect, FileSystem, Path, type PlatformError, Schema } from "effect"
import { describePlatformError } from "./pipeline_file.ts"
import { Store } from "./store.ts"
import type { StoreEntry } from "./store_entry.ts"
import { StoreError } from "./store_error.ts"

/** The folder that the results should go to cannot be written to. */
export class OutputFolderError extends Schema.TaggedError<OutputFolderError>()(
  "OutputFolderError",
  { path: Schema.String, detail: Schema.String, hint: Schema.String },
) {
  override get message(): string {
    return `cannot write to the output folder ${this.path}: ${this.detail}`
  }
}

/** A folder that receives what a run made. */
export interface OutputFolder {
  /** The absolute path. */
  readonly path: string
  /** Copies the files of a step to `<step>/<output>/<file>`, and its files for people to `<step>/<file>`. */
  readonly addStep: (
    id: string,
    entry: StoreEntry,
  ) => Effect.Effect<void, OutputFolderError | StoreError>
  /** Writes a file at the top, by way of a temporary name. */
  readonly writeText: (name: string, text: string) => Effect.Effect<void, OutputFolderError>
}

/** Makes the folder, and makes sure before anything runs that it can be written to. */
export const openOutputFolder = Effect.fnUntraced(function* (location: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const store = yield* Store
  const folder = path.resolve(location)
  const unwritable = (error: PlatformError.PlatformError) =>
    new OutputFolderError({
      path: location,
      detail: describePlatformError(error),
      hint: "give --out a folder that you may write to and that has space; what was computed is kept in the store",
    })
  const guard = <A, R>(effect: Effect.Effect<A, PlatformError.PlatformError, R>) =>
    Effect.mapError(effect, unwritable)
  const writeText = (name: string, text: string) =>
    Effect.acquireUseRelease(
      Effect.sync(() => path.join(folder, `.${name}.${crypto.randomUUID()}`)),
      (temporary) =>
        Effect.andThen(
          fileSystem.writeFileString(temporary, text),
          fileSystem.rename(temporary, path.join(folder, name)),
        ),
      (temporary) => Effect.ignore(fileSystem.remove(temporary, { force: true })),
    )
  const probe = path.join(folder, `.probe.${crypto.randomUUID()}`)
  yield* fileSystem
    .makeDirectory(folder, { recursive: true })
    .pipe(
      Effect.andThen(fileSystem.writeFileString(probe, "")),
      Effect.andThen(fileSystem.remove(probe)),
      guard,
    )
  const output: OutputFolder = {
    path: folder,
    writeText: (name, text) => guard(writeText(name, text)),
    addStep: Effect.fnUntraced(
      function* (id, entry) {
        for (const [name, file] of Object.entries(entry.files)) {
          yield* store.copyTo(file, path.join(folder, id, name))
        }
        for (const [output, { files }] of Object.entries(entry.outputs)) {
          for (const [name, file] of Object.entries(files)) {
            yield* store.copyTo(file, path.join(folder, id, output, name))
          }
        }
      },
      Effect.mapError((error) => (error instanceof StoreError ? error : unwritable(error))),
    ),
  }
  return output
})
