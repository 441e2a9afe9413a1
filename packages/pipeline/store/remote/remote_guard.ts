import { Effect } from "effect"
import { StoreError } from "../../store_error.ts"
import type { StoreFolder } from "../store_folder.ts"
import type { Remote } from "./remote.ts"
import { isRemoteError, type RemoteError } from "./remote_error.ts"

/** Turns what the disk and the remote say into the store's error. */
export const makeRemoteGuard =
  (at: StoreFolder, { address }: Remote) =>
  (operation: string) =>
  <A, E, R>(effect: Effect.Effect<A, E | RemoteError, R>) =>
    effect.pipe(
      Effect.mapError((error) =>
        isRemoteError(error)
          ? new StoreError({ folder: address, operation, detail: error.message, hint: error.hint })
          : (error as Exclude<E, RemoteError>),
      ),
      at.guard(operation),
    )

/** See {@link makeRemoteGuard}. */
export type RemoteGuard = ReturnType<typeof makeRemoteGuard>
