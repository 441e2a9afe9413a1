// Does steps for a worker: `node host.ts STORE FINGERPRINT [REMOTE]`.
import { NodeServices } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { hostSteps, runStepHost } from "../mod.ts"
import { steps, testDevice } from "./steps.ts"
import { testStore } from "./store.ts"

const [store, fingerprint, remote] = process.argv.slice(2)

await runStepHost(
  hostSteps({ steps, packages: {} }).pipe(
    Effect.provide(Layer.merge(testStore(store, remote), testDevice(fingerprint))),
    Effect.provide(NodeServices.layer),
  ),
)
