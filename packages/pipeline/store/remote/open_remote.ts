import { Effect } from "effect"
import type { Checkpoints } from "../checkpoints.ts"
import type { Entries } from "../entries.ts"
import type { OwnLease } from "../leases.ts"
import type { Objects } from "../objects.ts"
import type { StoreFolder } from "../store_folder.ts"
import { checkReadable, checkWritable } from "./check_remote.ts"
import type { Remote } from "./remote.ts"
import { makeRemoteGuard } from "./remote_guard.ts"
import { makeSharedCheckpoints } from "./shared_checkpoints.ts"
import { makeSharedEntries } from "./shared_entries.ts"
import { makeSharedObjects } from "./shared_objects.ts"

/** A remote, and how it is used. */
export interface RemoteOptions {
  readonly remote: Remote
  /**
   * Whether nothing is sent, fetched or changed: for those who only want to know what is there. What
   * contents hold is not looked at then.
   */
  readonly onlyLook?: boolean
}

/** The parts of a store that a remote takes part in. */
export interface LocalParts {
  readonly lease: OwnLease
  readonly objects: Objects
  readonly entries: Entries
  readonly checkpoints: Checkpoints
}

/** Puts a remote behind the parts of a store, after making sure that it can be used. */
export const openRemote = Effect.fnUntraced(function* (
  at: StoreFolder,
  parts: LocalParts,
  { remote, onlyLook = false }: RemoteOptions,
) {
  yield* onlyLook ? checkReadable(remote) : checkWritable(remote)
  const { lease } = parts
  const guard = makeRemoteGuard(at, remote)
  const objects = makeSharedObjects(at, lease, parts.objects, remote, guard)
  return {
    objects,
    entries: makeSharedEntries({ ...parts, objects, remote, guard, onlyLook }),
    checkpoints: makeSharedCheckpoints(parts.checkpoints, remote),
  }
})
