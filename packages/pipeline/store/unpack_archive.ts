import { Effect, Option, Schema, Stream } from "effect"
import { createTarDecoder, type ParsedTarEntry } from "modern-tar"
import { describePlatformError } from "../pipeline_file.ts"
import { startSha256 } from "../sha256.ts"
import { ArchiveFileError, InvalidArchive } from "./archive_error.ts"
import {
  ArchiveIndex,
  indexName,
  type Member,
  memberPlace,
  mostTextBytes,
} from "./archive_index.ts"
import type { StoreFolder } from "./store_folder.ts"

/** What is told of a file that is not a sound archive. */
export const invalidArchive =
  (file: string) =>
  (detail: string): InvalidArchive =>
    new InvalidArchive({
      path: file,
      detail,
      hint: "nothing of it was taken; get it again from where it comes from, or export the runs again",
    })

/** A name from outside, fit for a terminal. */
const show = (name: string) => JSON.stringify(name.length > 120 ? `${name.slice(0, 120)}…` : name)

const describe = (error: unknown) =>
  error instanceof Error ? error.message.replace(/\.$/, "") : String(error)

/**
 * Unpacks an archive under a folder of ours, and gives its members by name: all that it lists, and no
 * other. Nothing is written outside of the folder, whatever the archive says.
 */
export const unpackArchive = Effect.fnUntraced(function* (
  { fileSystem, path }: StoreFolder,
  file: string,
  draft: string,
) {
  const invalid = invalidArchive(file)
  const unreadable = (detail: string) =>
    new ArchiveFileError({
      path: file,
      operation: "read",
      detail,
      hint: "give the path of a file that `espalier cache export` wrote",
    })
  const info = yield* Effect.mapError(fileSystem.stat(file), (error) =>
    unreadable(describePlatformError(error)),
  )
  if (info.type !== "File") return yield* unreadable("it is not a file")
  const folders = new Set<string>()
  const done = new Set<string>()
  let listed: Readonly<Record<string, Member>> | undefined

  const take = Effect.fnUntraced(function* ({ header, body }: ParsedTarEntry) {
    const { name, size, type } = header
    if (type !== "file") return yield* invalid(`${show(name)} is a ${type}`)
    const content = Stream.fromReadableStream({
      evaluate: () => body,
      onError: (error) => invalid(describe(error)),
    })
    if (listed === undefined) {
      if (name !== indexName || size > mostTextBytes) {
        return yield* invalid(`it does not begin with ${indexName}`)
      }
      const text = yield* content.pipe(Stream.decodeText(), Stream.mkString)
      const index = Schema.decodeUnknownOption(ArchiveIndex)(text)
      if (Option.isNone(index)) return yield* invalid(`its ${indexName} is not one of ours`)
      listed = index.value.members
      return
    }
    const place = memberPlace(name)
    const member = Object.hasOwn(listed, name) ? listed[name] : undefined
    if (place === undefined || member === undefined || done.has(name)) {
      return yield* invalid(`it has no place for ${show(name)}`)
    }
    if (size !== member.bytes) return yield* invalid(`${name} has not the size that is listed`)
    if (place.kind !== "objects" && size > mostTextBytes) {
      return yield* invalid(`${name} is too large`)
    }
    done.add(name)
    const target = path.join(draft, name)
    const folder = path.dirname(target)
    if (!folders.has(folder)) yield* fileSystem.makeDirectory(folder, { recursive: true })
    folders.add(folder)
    const hash = startSha256()
    yield* content.pipe(
      Stream.tap((chunk) => Effect.sync(() => hash.add(chunk))),
      Stream.run(fileSystem.sink(target, { flag: "wx" })),
    )
    const found = hash.end()
    if (found !== member.sha256 || (place.kind === "objects" && found !== place.hash)) {
      return yield* invalid(`${name} is damaged`)
    }
  })

  const source = Stream.toReadableStream(
    Stream.mapError(fileSystem.stream(file, { chunkSize: 1 << 18 }), (error) =>
      unreadable(describePlatformError(error)),
    ),
  )
  yield* Stream.runForEach(
    Stream.fromReadableStream({
      evaluate: () => source.pipeThrough(createTarDecoder({ strict: true })),
      onError: (error) => (error instanceof ArchiveFileError ? error : invalid(describe(error))),
    }),
    take,
  )
  if (listed === undefined) return yield* invalid("it is empty")
  const missing = Object.keys(listed).find((name) => !done.has(name))
  if (missing !== undefined) return yield* invalid(`${show(missing)} is missing`)
  return new Map(Object.entries(listed))
})
