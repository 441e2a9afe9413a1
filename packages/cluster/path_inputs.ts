import { sha256Json, Store, type StoredFile, unreadable } from "@espalier/pipeline"
import { Effect, FileSystem, Path, Schema } from "effect"
import { InputChanged } from "./errors.ts"
import { FolderListing, type PathInput } from "./job.ts"

const decodeListing = Schema.decodeUnknownEffect(FolderListing)
const encodeListing = Schema.encodeSync(FolderListing)

/** Puts a folder's files into the store, and hashes it as pipelines hash folders. */
const keepFolder = Effect.fnUntraced(function* (folder: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const store = yield* Store
  const listing: Record<string, StoredFile> = {}
  const visit = (
    at: string,
    inside: string,
  ): Effect.Effect<string, Effect.Error<ReturnType<typeof keepOne>>> =>
    Effect.gen(function* () {
      const hashes: Record<string, string> = {}
      for (const name of (yield* fileSystem.readDirectory(at)).toSorted()) {
        const location = path.join(at, name)
        const place = inside === "" ? name : `${inside}/${name}`
        const { type } = yield* fileSystem.stat(location)
        hashes[name] =
          type === "Directory" ? yield* visit(location, place) : yield* keepOne(location, place)
      }
      return sha256Json(hashes)
    })
  const keepOne = (location: string, place: string) =>
    Effect.map(store.putFile(location), (file) => {
      listing[place] = file
      return file.sha256
    })
  const sha256 = yield* visit(folder, "")
  return { sha256, listing }
})

/** Puts a file or folder into the store for the workers. What is there already is not written again. */
export const keepPathInput = Effect.fnUntraced(function* (
  location: string,
  expected: string | undefined,
) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const store = yield* Store
  const keep = Effect.gen(function* () {
    const name = path.basename(location)
    if ((yield* fileSystem.stat(location)).type !== "Directory") {
      const content = yield* store.putFile(location)
      return { kind: "file" as const, name, sha256: content.sha256, content }
    }
    const { sha256, listing } = yield* keepFolder(location)
    const text = new TextEncoder().encode(encodeListing(listing))
    const { listing: content } = yield* store.putFiles({ listing: text })
    return { kind: "folder" as const, name, sha256, content }
  })
  const input: PathInput = yield* Effect.catchTag(keep, "PlatformError", (error) =>
    Effect.fail(unreadable(location)(error)),
  )
  if (expected !== undefined && input.sha256 !== expected) {
    return yield* new InputChanged({
      path: location,
      hint: "run again when nothing writes to it any more",
    })
  }
  return input
})

const readOnly = 0o444

/** Whether a path leads into the folder that it is joined to, and stays there. */
const isInside = (place: string): boolean =>
  place !== "" && place.split("/").every((part) => part !== "" && part !== "." && part !== "..")

/**
 * Puts a file or folder out of the store where a step can read it: below `folder`, under its hash and
 * its own name. What was put there before is not copied again.
 */
export const placePathInput = Effect.fnUntraced(function* (input: PathInput, folder: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const store = yield* Store
  const place = path.join(folder, input.sha256)
  const target = path.join(place, path.basename(input.name))
  if (yield* fileSystem.exists(place)) return target
  const copy = Effect.fnUntraced(function* (file: StoredFile, to: string) {
    yield* store.copyTo(file, to)
    yield* fileSystem.chmod(to, readOnly)
  })
  const draft = `${place}.draft`
  const drafted = path.join(draft, path.basename(input.name))
  yield* fileSystem.remove(draft, { recursive: true, force: true })
  yield* fileSystem.makeDirectory(draft, { recursive: true })
  if (input.kind === "file") yield* copy(input.content, drafted)
  else {
    const { listing } = yield* store.readFiles({ listing: input.content })
    const files = yield* Effect.orDie(decodeListing(new TextDecoder().decode(listing)))
    yield* fileSystem.makeDirectory(drafted)
    for (const [name, file] of Object.entries(files)) {
      if (!isInside(name)) return yield* Effect.die(new RangeError(`${name} leads out of a folder`))
      yield* copy(file, path.join(drafted, name))
    }
  }
  yield* fileSystem.rename(draft, place)
  return target
})
