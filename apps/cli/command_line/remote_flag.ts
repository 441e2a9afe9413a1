import {
  type RemoteError,
  s3RemoteFromEnvironment,
  Store,
  type StoreError,
} from "@espalier/pipeline"
import { Effect, Layer, Option } from "effect"
import { Flag } from "effect/cli"

/** What several machines share their results through. */
export const remoteFlag = Flag.String("remote").pipe(
  Flag.withDescription(
    "share results through an S3-compatible service: s3://BUCKET/PREFIX (default: ESPALIER_REMOTE); credentials as AWS_ACCESS_KEY_ID and the like",
  ),
  Flag.optional,
)

/** The address that the flag gives, else the environment; an empty one stands for none. */
export const remoteAddress = (flag: Option.Option<string>): Option.Option<string> =>
  Option.orElse(flag, () => Option.fromUndefinedOr(process.env.ESPALIER_REMOTE)).pipe(
    Option.filter((address) => address !== ""),
  )

/** A store in a folder, with the remote behind it that is asked for. */
export const sharedStore = (
  folder: string,
  flag: Option.Option<string>,
  onlyLook: boolean,
): Layer.Layer<Store, StoreError | RemoteError, Layer.Services<ReturnType<typeof Store.layer>>> => {
  const address = remoteAddress(flag)
  if (Option.isNone(address)) return Store.layer(folder)
  return Layer.unwrap(
    Effect.map(s3RemoteFromEnvironment(address.value), (remote) =>
      Store.layerWithRemote(folder, { remote, onlyLook }),
    ),
  )
}
