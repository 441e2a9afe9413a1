import { s3RemoteFromEnvironment, Store } from "@espalier/pipeline"
import { Effect, Layer } from "effect"

/** A store in a folder, with a remote behind it where one is named. */
export const testStore = (folder: string, remote = "") =>
  Layer.orDie(
    remote === ""
      ? Store.layer(folder)
      : Layer.unwrap(
          Effect.map(s3RemoteFromEnvironment(remote), (opened) =>
            Store.layerWithRemote(folder, { remote: opened }),
          ),
        ),
  )
