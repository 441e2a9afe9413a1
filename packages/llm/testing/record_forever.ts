// Records calls until it is killed: `node record_forever.ts FILE NAME`.
import { NodeServices } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { LanguageModel } from "effect/ai"
import { cassetteLayer } from "../cassette/cassette.ts"
import { scriptedLanguageModel } from "../scripted_language_model.ts"

const [file, name] = process.argv.slice(2)
const model = Layer.merge(
  scriptedLanguageModel(({ text }) => `answer to ${text} ${"x".repeat(2000)}`),
  cassetteLayer({ file, mode: "record" }),
)
const ask = (index: number) =>
  LanguageModel.generateText({ prompt: `${name} ${index}` }).pipe(
    Effect.andThen(Effect.sync(() => process.stdout.write(`${name} ${index}\n`))),
  )
const forever = Effect.forEach(
  Array.from({ length: 10_000 }, (_, index) => index),
  ask,
  { discard: true },
)
await Effect.runPromise(forever.pipe(Effect.provide(model), Effect.provide(NodeServices.layer)))
