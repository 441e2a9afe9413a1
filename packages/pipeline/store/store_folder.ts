import { Effect, Exit, FileSystem, Option, Path, PlatformError } from "effect"
import { describePlatformError } from "../pipeline_file.ts"
import { StoreError } from "../store_error.ts"
import { uniqueName } from "./process_name.ts"

/** What lies in a folder: names, each with its size in bytes and when it was written. */
export interface FolderItem {
  readonly name: string
  readonly location: string
  readonly isFolder: boolean
  readonly bytes: number
  /** In milliseconds since 1970. */
  readonly modified: number
}

/** What the parts of a store share: its folder, and how files of it are read and written. */
export type StoreFolder = Effect.Success<ReturnType<typeof openStoreFolder>>

/** Opens a folder as a store's; makes nothing yet. */
export const openStoreFolder = Effect.fnUntraced(function* (location: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = path.resolve(location)
  const at = (...parts: ReadonlyArray<string>) => path.join(folder, ...parts)

  /** Turns what the disk says into the store's error. */
  const guard =
    (operation: string) =>
    <A, E, R>(
      effect: Effect.Effect<A, E | PlatformError.PlatformError, R>,
    ): Effect.Effect<A, Exclude<E, PlatformError.PlatformError> | StoreError, R> =>
      Effect.mapError(effect, (error) =>
        PlatformError.isPlatformError(error)
          ? new StoreError({
              folder,
              operation,
              detail: describePlatformError(error),
              hint: "check the folder's rights and the space on the disk, or give another with --store DIR",
            })
          : (error as Exclude<E, PlatformError.PlatformError>),
      )

  /** Where a thing lies that is named by a hash. */
  const fanOut = (kind: "objects" | "entries", hash: string) =>
    at(kind, hash.slice(0, 2), hash.slice(2) + (kind === "entries" ? ".json" : ""))

  const remove = (target: string) => fileSystem.remove(target, { recursive: true, force: true })

  /** Gives a finished file its name. Readers see all of it or nothing. */
  const putInPlace = (draft: string, target: string) => {
    const rename = fileSystem.rename(draft, target)
    return Effect.catchIf(
      rename,
      (error) => error.reason._tag === "NotFound",
      () =>
        Effect.andThen(fileSystem.makeDirectory(path.dirname(target), { recursive: true }), rename),
    )
  }

  /** A place to write at; what is still there afterwards goes. */
  const withDraft = <A, E, R>(use: (draft: string) => Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => at("temporary", uniqueName())),
      use,
      (draft) => Effect.ignore(remove(draft)),
    )

  /** Writes a file whole: under a name of its own first. */
  const write = (target: string, content: Uint8Array | string, mode?: number) => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content
    return Effect.suspend(() => {
      const draft = at("temporary", uniqueName())
      return fileSystem.writeFile(draft, bytes, mode === undefined ? {} : { mode }).pipe(
        Effect.andThen(putInPlace(draft, target)),
        Effect.onExit((exit) =>
          Exit.isSuccess(exit) ? Effect.void : Effect.ignore(remove(draft)),
        ),
      )
    })
  }

  const orNone = <A, R>(effect: Effect.Effect<A, PlatformError.PlatformError, R>) =>
    effect.pipe(
      Effect.map(Option.some),
      Effect.catchIf(
        (error) => error.reason._tag === "NotFound",
        () => Effect.succeed(Option.none<A>()),
      ),
    )

  /** What a folder holds; nothing where it is not there. What vanishes meanwhile is left out. */
  const list = Effect.fnUntraced(function* (target: string) {
    const names = Option.getOrElse(yield* orNone(fileSystem.readDirectory(target)), () => [])
    const items: Array<FolderItem> = []
    for (const name of names) {
      const location = path.join(target, name)
      const info = Option.getOrUndefined(yield* orNone(fileSystem.stat(location)))
      if (info === undefined) continue
      items.push({
        name,
        location,
        isFolder: info.type === "Directory",
        bytes: Number(info.size),
        modified: Option.match(info.mtime, { onNone: () => 0, onSome: (time) => time.getTime() }),
      })
    }
    return items
  })

  /** All things of a kind by the hash that they are named by. */
  const listHashed = Effect.fnUntraced(function* (kind: "objects" | "entries") {
    const found: Array<FolderItem & { readonly hash: string }> = []
    for (const { name: start, location } of yield* list(at(kind))) {
      for (const item of yield* list(location)) {
        found.push({ ...item, hash: start + item.name.replace(/\.json$/, "") })
      }
    }
    return found
  })

  return {
    folder,
    fileSystem,
    path,
    at,
    guard,
    fanOut,
    putInPlace,
    withDraft,
    write,
    readIfThere: (file: string) => orNone(fileSystem.readFile(file)),
    statIfThere: (file: string) => orNone(fileSystem.stat(file)),
    list,
    listHashed,
    remove,
  }
})
