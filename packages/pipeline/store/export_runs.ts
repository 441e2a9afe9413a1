import { Effect, Option, type PlatformError, Stream } from "effect"
import { createTarPacker } from "modern-tar"
import { describePlatformError } from "../pipeline_file.ts"
import { sha256, startSha256 } from "../sha256.ts"
import { entryFiles, type StoredFile } from "../store_entry.ts"
import { StoreError } from "../store_error.ts"
import { ArchiveExists, ArchiveFileError, RunIncomplete } from "./archive_error.ts"
import { indexName, type Member, memberName } from "./archive_index.ts"
import type { Entries } from "./entries.ts"
import type { OwnLease } from "./leases.ts"
import { uniqueName } from "./process_name.ts"
import type { RunFolders } from "./run_folders.ts"
import { readManifest } from "./run_manifest.ts"
import type { StoreFolder } from "./store_folder.ts"

/** What an archive took in. */
export interface ExportReport {
  readonly file: string
  readonly runs: number
  readonly entries: number
  readonly objects: number
  /** Of the archive's members. */
  readonly bytes: number
}

type Source = Member & { readonly location: string }

type Unwritable = (error: PlatformError.PlatformError) => ArchiveFileError

/** Writes runs, with all that they need, into one tar file. */
export const makeExporter = (
  at: StoreFolder,
  parts: { readonly lease: OwnLease; readonly entries: Entries; readonly runs: RunFolders },
) => {
  const { fileSystem, path } = at
  const { lease, entries, runs } = parts

  /** What goes into the archive. Small files are copied first, so that they no longer change. */
  const gather = Effect.fnUntraced(function* (names: ReadonlyArray<string>, draft: string) {
    const members = new Map<string, Source>()
    const addCopy = Effect.fnUntraced(function* (name: string, bytes: Uint8Array) {
      const location = path.join(draft, `${members.size}`)
      yield* fileSystem.writeFile(location, bytes)
      members.set(name, { location, bytes: bytes.length, sha256: sha256(bytes) })
    })
    const addContents = (files: ReadonlyArray<readonly [string, StoredFile]>) => {
      for (const [, file] of files) {
        const location = at.fanOut("objects", file.sha256)
        members.set(memberName({ kind: "objects", hash: file.sha256 }), { ...file, location })
      }
    }
    for (const run of names) {
      const lacking = (detail: string) =>
        new RunIncomplete({ run, detail, hint: "run the pipeline again, and export that run" })
      const manifest = Option.getOrUndefined(yield* readManifest(runs, run))
      if (manifest === undefined) return yield* lacking("it has no manifest that can be read")
      yield* lease.use([`run ${run}`])
      for (const [step, { status, key, outputs = {}, files = {} }] of Object.entries(
        manifest.steps,
      )) {
        if (typeof key !== "string" || (status !== "done" && status !== "cached")) continue
        const found = yield* entries.lookup(key)
        if (found._tag === "Miss") return yield* lacking(`the result of ${step} is gone`)
        if (found._tag === "Damaged") {
          return yield* lacking(`the result of ${step} is damaged: ${found.detail}`)
        }
        const own = entryFiles({ outputs, files })
        yield* lease.use(own.map(([, file]) => file.sha256))
        addContents([...entryFiles(found.entry), ...own])
        const name = memberName({ kind: "entries", hash: key })
        if (!members.has(name)) {
          yield* addCopy(name, yield* fileSystem.readFile(at.fanOut("entries", key)))
        }
      }
      for (const { name, location, isFolder } of yield* runs.files(run)) {
        if (isFolder) continue
        const member = memberName({ kind: "runs", run, file: name })
        yield* addCopy(member, yield* fileSystem.readFile(location))
      }
    }
    return members
  })

  /** Gives the members to a packer one after the other, and checks each content on its way. */
  const feed = Effect.fnUntraced(function* (
    controller: ReturnType<typeof createTarPacker>["controller"],
    members: ReadonlyMap<string, Source>,
  ) {
    for (const [name, member] of members) {
      const writer = controller
        .add({ name, size: member.bytes, mode: 0o644, mtime: new Date(0) })
        .getWriter()
      const hash = startSha256()
      yield* Stream.runForEach(
        fileSystem.stream(member.location, { chunkSize: 1 << 20 }),
        (chunk) =>
          Effect.promise(() => {
            hash.add(chunk)
            return writer.write(chunk)
          }),
      )
      if (hash.end() !== member.sha256) {
        return yield* new StoreError({
          folder: at.folder,
          operation: "export runs",
          detail: `${name} was damaged`,
          hint: "run the pipeline again: what is damaged is computed anew",
        })
      }
      yield* Effect.promise(() => writer.close())
    }
    controller.finalize()
  })

  const pack = (members: ReadonlyMap<string, Source>, unwritable: Unwritable, target: string) =>
    Effect.suspend(() => {
      const { readable, controller } = createTarPacker()
      const drain = Stream.fromReadableStream({
        evaluate: () => readable,
        // Its only errors are those of who feeds it, which are told there.
        onError: (error) => error,
      }).pipe(Stream.orDie, Stream.run(fileSystem.sink(target)), Effect.mapError(unwritable))
      return Effect.all([drain, feed(controller, members)], { concurrency: 2, discard: true })
    })

  /** Puts the list of all members before them. */
  const withIndex = Effect.fnUntraced(function* (
    members: ReadonlyMap<string, Source>,
    draft: string,
  ) {
    const listed = [...members].map(([name, { bytes, sha256 }]) => [name, { bytes, sha256 }])
    const index = { format: "espalier runs", version: 1, members: Object.fromEntries(listed) }
    const bytes = new TextEncoder().encode(JSON.stringify(index))
    const location = path.join(draft, indexName)
    yield* fileSystem.writeFile(location, bytes)
    const first: Source = { location, bytes: bytes.length, sha256: sha256(bytes) }
    return new Map([[indexName, first], ...members])
  })

  return Effect.fnUntraced(function* (names: ReadonlyArray<string>, file: string) {
    const target = path.resolve(file)
    const unwritable = (error: PlatformError.PlatformError) =>
      new ArchiveFileError({
        path: file,
        operation: "write",
        detail: describePlatformError(error),
        hint: "give --out a file in a folder that you may write to and that has space",
      })
    const wanted = [...new Set(names)]
    for (const run of wanted) yield* runs.find(run)
    if (yield* Effect.mapError(fileSystem.exists(target), unwritable)) {
      return yield* new ArchiveExists({
        path: file,
        hint: "choose another name for --out, or remove the file first",
      })
    }
    const members = yield* at.withDraft(
      Effect.fnUntraced(function* (draft) {
        yield* fileSystem.makeDirectory(draft)
        const members = yield* withIndex(yield* gather(wanted, draft), draft)
        yield* Effect.acquireUseRelease(
          Effect.sync(() => path.join(path.dirname(target), `.${uniqueName()}`)),
          (partial) =>
            Effect.andThen(
              pack(members, unwritable, partial),
              Effect.mapError(fileSystem.rename(partial, target), unwritable),
            ),
          (partial) => Effect.ignore(at.remove(partial)),
        )
        return members
      }),
    )
    const count = (kind: string) =>
      [...members.keys()].filter((name) => name.startsWith(`${kind}/`)).length
    return {
      file: target,
      runs: wanted.length,
      entries: count("entries"),
      objects: count("objects"),
      bytes: [...members.values()].reduce((sum, member) => sum + member.bytes, 0),
    } satisfies ExportReport
  }, at.guard("export runs"))
}
