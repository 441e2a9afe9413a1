import { type CheckpointFiles, type CheckpointStore, Notices } from "@espalier/runtime"
import { Effect, Option, Stream } from "effect"
import { packCheckpoint, unpackCheckpoint } from "../checkpoint_file.ts"
import type { Checkpoints } from "../checkpoints.ts"
import { inMemory, type Remote } from "./remote.ts"
import type { RemoteError } from "./remote_error.ts"

/**
 * Unfinished work in a folder and in the remote behind it, so that another machine goes on with it.
 * A remote that fails costs what it keeps, never the step.
 */
export const makeSharedCheckpoints = (local: Checkpoints, remote: Remote): Checkpoints => {
  const folderOf = (key: string) => `checkpoints/${key}/`
  const speak = (what: string) => (error: RemoteError) =>
    Notices.report(`${what}: ${error.message}`)

  const checkpoints = (key: string): CheckpointStore => {
    const here = local.checkpoints(key)
    const nameOf = (name: string) => `${folderOf(key)}c-${encodeURIComponent(name)}`

    const fetch = Effect.fnUntraced(
      function* (name: string) {
        const packed = yield* remote.get(nameOf(name), Stream.mkUint8Array)
        const files = Option.flatMap(packed, unpackCheckpoint)
        if (Option.isSome(packed) && Option.isNone(files)) {
          yield* Notices.report(`the checkpoint ${name} in ${remote.address} was damaged`)
        }
        return files
      },
      Effect.catch((error) =>
        Effect.as(
          speak("a checkpoint could not be fetched")(error),
          Option.none<CheckpointFiles>(),
        ),
      ),
    )

    return {
      // The remote's is the later one: another worker may have gone on from the one that is here.
      load: (name) =>
        Effect.flatMap(fetch(name), (files) =>
          Option.isSome(files) ? Effect.succeed(files) : here.load(name),
        ),
      save: (name, files) =>
        Effect.andThen(
          here.save(name, files),
          Effect.suspend(() => remote.put(nameOf(name), inMemory(packCheckpoint(files)))),
        ).pipe(Effect.catch(speak("a checkpoint could not be sent"))),
      clear: (name) => Effect.andThen(here.clear(name), Effect.ignore(remote.remove(nameOf(name)))),
    }
  }

  const clearThere = (key: string) =>
    Effect.flatMap(remote.list(folderOf(key)), (names) =>
      Effect.forEach(names, remote.remove, { discard: true }),
    )

  return {
    checkpoints,
    clear: (key) => Effect.andThen(local.clear(key), Effect.ignore(clearThere(key))),
  }
}
