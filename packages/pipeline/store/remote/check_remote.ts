import { Effect, Stream } from "effect"
import type { Remote } from "./remote.ts"
import { RemoteUnsuitable } from "./remote_error.ts"

/** A service that would let the second result of a step replace the first. */
export const ignoresConditions = (address: string) =>
  new RemoteUnsuitable({
    address,
    detail: "the service does not keep to If-None-Match, by which a result stands once",
    hint: "give a newer version of the service, or another one: Amazon S3, Ceph, MinIO and Cloudflare R2 keep to it",
  })

const versionName = "version"
const version = new TextEncoder().encode("1\n")

/** Makes sure that one can read there: bucket, credentials and clock are as they should be. */
export const checkReadable = (remote: Remote) =>
  Effect.asVoid(remote.get(versionName, Stream.runDrain))

/** Makes sure that one can write there, and that what is there first stays. */
export const checkWritable = Effect.fnUntraced(function* (remote: Remote) {
  if (!(yield* remote.putFirst(versionName, version))) return
  // It was the first one: the second must be refused.
  if (yield* remote.putFirst(versionName, version)) return yield* ignoresConditions(remote.address)
})
