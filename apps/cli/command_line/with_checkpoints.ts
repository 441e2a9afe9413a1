import { Store } from "@espalier/pipeline"
import { Checkpoint } from "@espalier/runtime"
import { Effect, Layer } from "effect"
import { unwritable } from "./write_folder.ts"

const storeIn = (folder: string) =>
  Store.layer(folder).pipe(
    Layer.catchTag("StoreError", ({ detail }) =>
      Layer.effect(Store, Effect.fail(unwritable(folder)({ message: detail }))),
    ),
  )

/**
 * Keeps the checkpoints of a piece of work in a folder, under the hash of whatever decides its result.
 * They stay when the work is done: whoever has written the result removes the folder.
 */
export const withCheckpoints =
  (folder: string, job: string) =>
  <A, E, R>(work: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const kept = (yield* Store).checkpoints(job)
      return yield* Effect.provideService(work, Checkpoint, { ...kept, clear: () => Effect.void })
    }).pipe(Effect.provide(storeIn(folder)))
