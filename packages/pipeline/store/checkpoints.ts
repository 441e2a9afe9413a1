import { type CheckpointFiles, type CheckpointStore, Notices } from "@espalier/runtime"
import { Effect, Option, type PlatformError } from "effect"
import { describePlatformError } from "../pipeline_file.ts"
import { packCheckpoint, unpackCheckpoint } from "./checkpoint_file.ts"
import type { OwnLease } from "./leases.ts"
import type { StoreFolder } from "./store_folder.ts"

/** Unfinished work under the key of its step. */
export const makeCheckpoints = (at: StoreFolder, lease: OwnLease) => {
  const folderOf = (key: string) => at.at("checkpoints", key)
  const speak = (what: string) => (error: PlatformError.PlatformError) =>
    Notices.report(`${what}: ${describePlatformError(error)}`)

  const checkpoints = (key: string): CheckpointStore => {
    const file = (name: string) => at.path.join(folderOf(key), `c-${encodeURIComponent(name)}`)
    return {
      load: Effect.fnUntraced(
        function* (name: string) {
          yield* lease.use([key])
          const packed = yield* at.readIfThere(file(name))
          const files = Option.flatMap(packed, unpackCheckpoint)
          if (Option.isSome(packed) && Option.isNone(files)) {
            yield* Notices.report(`the checkpoint ${name} was damaged; starting from the beginning`)
          }
          return files
        },
        Effect.catch((error) =>
          Effect.as(speak("a checkpoint could not be read")(error), Option.none<CheckpointFiles>()),
        ),
      ),
      save: (name, files) =>
        Effect.andThen(
          lease.use([key]),
          Effect.suspend(() => at.write(file(name), packCheckpoint(files))),
        ).pipe(Effect.catch(speak("a checkpoint could not be written"))),
      clear: (name) => Effect.ignore(at.remove(file(name))),
    }
  }

  return {
    checkpoints,
    clear: (key: string) => at.guard("clear a checkpoint")(at.remove(folderOf(key))),
  }
}

/** See {@link makeCheckpoints}. */
export type Checkpoints = ReturnType<typeof makeCheckpoints>
