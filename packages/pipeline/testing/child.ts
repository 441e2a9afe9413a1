// Runs a pipeline file on a store: `node child.ts FILE STORE`. Says each event on a line of its own.
import { NodeServices } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { loadPipeline, runPipeline, Store } from "../mod.ts"
import { testDevice } from "./device.ts"
import { steps } from "./steps.ts"

const [file, store] = process.argv.slice(2)
const say = (...words: ReadonlyArray<unknown>) =>
  Effect.sync(() => process.stdout.write(`${words.join(" ")}\n`))

await Effect.gen(function* () {
  const pipeline = yield* loadPipeline(file, { steps })
  const record = yield* runPipeline(pipeline, {
    packages: {},
    onEvent: (event) =>
      event._tag === "StepProgress"
        ? say("progress", event.id, event.update.completed)
        : event._tag === "StepFinished"
          ? say("finished", event.id, event.record.status)
          : Effect.void,
  })
  yield* say("run", record.status)
}).pipe(
  Effect.provide(Layer.mergeAll(Store.layer(store), testDevice())),
  Effect.provide(NodeServices.layer),
  Effect.runPromise,
)
