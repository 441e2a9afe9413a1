import { Effect, FileSystem, Option, Path, type PlatformError, Schema } from "effect"
import type { DataFolder } from "./data_folder.ts"
import { suggest } from "./did_you_mean.ts"
import { describePlatformError } from "./pipeline_file.ts"
import { DataFolderMissing, InputFileMissing, PathOutsideSandbox } from "./problem.ts"
import { leadsOutside, type Sandbox } from "./sandbox.ts"

/** A file or folder that is there and cannot be read, or not all of it. */
export class InputFileUnreadable extends Schema.TaggedError<InputFileUnreadable>()(
  "InputFileUnreadable",
  { path: Schema.String, detail: Schema.String, hint: Schema.String },
) {
  override get message(): string {
    return `cannot read ${this.path}: ${this.detail}`
  }
}

/**
 * Turns what the file system says of a path into an error for people.
 *
 * @example
 * ```ts
 * import { unreadable } from "@espalier/pipeline"
 * import { Effect, FileSystem } from "effect"
 *
 * const read = (path: string) =>
 *   FileSystem.FileSystem.pipe(
 *     Effect.flatMap((fileSystem) => fileSystem.readFile(path)),
 *     Effect.mapError(unreadable(path)),
 *   )
 * console.log(typeof read) // function
 * ```
 */
export const unreadable =
  (path: string) =>
  (error: PlatformError.PlatformError): InputFileUnreadable => {
    const detail = describePlatformError(error).replace(/^EISDIR.*/, "it is a folder")
    const hint =
      detail === "it is a folder"
        ? "give a file in that folder"
        : "check the path and its rights; a link may lead nowhere"
    return new InputFileUnreadable({ path, detail, hint })
  }

/** A path as a person wrote it, and what it is relative to. */
export interface InputFileRequest {
  /** The path; one that begins with `data:` lies in the data folder. */
  readonly given: string
  /** The absolute folder that other relative paths are relative to. */
  readonly folder: string
  readonly dataFolder: DataFolder
  /** Where it was written, for the error: a place in a pipeline file, or a flag. */
  readonly place: {
    readonly file: string
    readonly line?: number
    readonly column?: number
    readonly at: string
  }
  /** What paths are relative to, in words, for the hint. */
  readonly relativeTo: string
  /** The folders that it must lie in; anywhere where none are given. */
  readonly sandbox?: Sandbox | undefined
}

/**
 * The absolute path of a file or folder that is there and may be read.
 *
 * Fails with `DataFolderMissing`, with `PathOutsideSandbox`, or with `InputFileMissing`, whose hint names
 * a likely neighbour.
 */
export const locateInputFile = Effect.fnUntraced(function* (request: InputFileRequest) {
  const { given, dataFolder, place } = request
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const inData = given.startsWith("data:")
  if (inData && Option.isNone(dataFolder.path)) {
    return yield* new DataFolderMissing({
      ...place,
      lookedFor: dataFolder.lookedFor,
      hint: "give --data DIR, or set ESPALIER_DATA, or put the data at ../shared/data beside the workspace",
    })
  }
  const folder = inData ? Option.getOrThrow(dataFolder.path) : request.folder
  const absolute = path.resolve(folder, inData ? given.slice("data:".length) : given)
  const { sandbox } = request
  const outside = sandbox === undefined ? undefined : yield* leadsOutside(absolute, sandbox)
  if (sandbox !== undefined && outside !== undefined) {
    const hint = "allow its folder with --allow DIR, or copy it into one of these"
    return yield* new PathOutsideSandbox({ ...place, path: outside, allowed: sandbox, hint })
  }
  const readable = yield* fileSystem.access(absolute, { readable: true }).pipe(
    Effect.as(true),
    Effect.orElseSucceed(() => false),
  )
  if (readable) return absolute
  const siblings = yield* Effect.orElseSucceed(
    fileSystem.readDirectory(path.dirname(absolute)),
    () => [],
  )
  const relative = inData
    ? "data: is the data folder (--data, ESPALIER_DATA)"
    : `relative paths are relative to ${request.relativeTo}`
  return yield* new InputFileMissing({
    ...place,
    path: absolute,
    hint:
      siblings.length > 0
        ? suggest(path.basename(absolute), siblings.toSorted().slice(0, 20), "files there")
        : relative,
  })
})
