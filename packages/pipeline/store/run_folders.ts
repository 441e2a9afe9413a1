import { Effect, Schema } from "effect"
import { suggest } from "../did_you_mean.ts"
import type { OwnLease } from "./leases.ts"
import { isRunName } from "./names.ts"
import type { StoreFolder } from "./store_folder.ts"

/** A run that the store has a folder of. */
export interface RunFolder {
  readonly run: string
  /** When a file of it was written last, in milliseconds since 1970. */
  readonly modified: number
}

/** There is no such run in the store. */
export class UnknownRun extends Schema.TaggedError<UnknownRun>()("UnknownRun", {
  run: Schema.String,
  folder: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `there is no run ${JSON.stringify(this.run)} in ${this.folder}`
  }
}

/** How many runs are named to somebody who named none that there is. */
const mostNamed = 5

/** What is kept of each run: its manifest, its results and what else was written for it. */
export const makeRunFolders = (at: StoreFolder, lease: OwnLease) => {
  const { fileSystem } = at
  const folderOf = (run: string) => at.at("runs", run)

  /** Where a file of a run lies; a name that leads out of the run's folder is a mistake of ours. */
  const locate = (run: string, name: string) =>
    isRunName(run) && isRunName(name)
      ? Effect.succeed(at.path.join(folderOf(run), name))
      : Effect.die(new RangeError(`"${name}" of "${run}" is no file of a run`))

  const files = (run: string) => (isRunName(run) ? at.list(folderOf(run)) : Effect.succeed([]))

  const list = Effect.gen(function* () {
    const found: Array<RunFolder> = []
    for (const { name: run, isFolder, modified } of yield* at.list(at.at("runs"))) {
      if (!isFolder || !isRunName(run)) continue
      const times = (yield* files(run)).map((file) => file.modified)
      found.push({ run, modified: times.length === 0 ? modified : Math.max(...times) })
    }
    return found.toSorted((a, b) => b.modified - a.modified || (a.run < b.run ? 1 : -1))
  })

  const find = Effect.fnUntraced(function* (run: string) {
    if (isRunName(run) && (yield* fileSystem.exists(folderOf(run)))) return run
    const known = (yield* list).map((folder) => folder.run)
    const [first, ...more] = known.slice(0, mostNamed)
    const last = known.length > mostNamed ? [first, ...more, "…"] : known
    return yield* new UnknownRun({ run, folder: at.folder, hint: suggest(run, last, "last runs") })
  }, at.guard("list the runs"))

  const write = Effect.fnUntraced(function* (run: string, name: string, text: string) {
    const file = yield* locate(run, name)
    yield* lease.use([`run ${run}`])
    yield* at.write(file, text)
    return file
  }, at.guard("write the record of a run"))

  const append = Effect.fnUntraced(function* (run: string, name: string, text: string) {
    const file = yield* locate(run, name)
    yield* lease.use([`run ${run}`])
    const attempt = fileSystem.writeFileString(file, text, { flag: "a" })
    yield* Effect.catchIf(
      attempt,
      (error) => error.reason._tag === "NotFound",
      () => Effect.andThen(fileSystem.makeDirectory(folderOf(run), { recursive: true }), attempt),
    )
  }, at.guard("write the record of a run"))

  const read = (run: string, name: string) =>
    isRunName(run) && isRunName(name)
      ? at.guard("read the record of a run")(at.readIfThere(at.path.join(folderOf(run), name)))
      : Effect.succeedNone

  /** The folder loses its name first: what is left of a removal that was cut off is no run. */
  const remove = (run: string) =>
    isRunName(run)
      ? at.withDraft((draft) =>
          Effect.catchIf(
            fileSystem.rename(folderOf(run), draft),
            (error) => error.reason._tag === "NotFound",
            () => Effect.void,
          ),
        )
      : Effect.void

  return { list, find, files, write, append, read, remove, folderOf }
}

/** See {@link makeRunFolders}. */
export type RunFolders = ReturnType<typeof makeRunFolders>
