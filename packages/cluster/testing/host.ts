// Does steps for a worker: `node host.ts STORE FINGERPRINT`.
import { NodeServices } from "@effect/platform-node"
import { Store } from "@espalier/pipeline"
import { Effect, Layer } from "effect"
import { hostSteps, runStepHost } from "../mod.ts"
import { steps, testDevice } from "./steps.ts"

const [store, fingerprint] = process.argv.slice(2)

await runStepHost(
  hostSteps({ steps, packages: {} }).pipe(
    Effect.provide(Layer.merge(Store.layer(store), testDevice(fingerprint))),
    Effect.provide(NodeServices.layer),
  ),
)
