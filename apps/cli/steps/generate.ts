import { encodeDocument, generate } from "@espalier/models"
import { Step } from "@espalier/pipeline"
import { Progress } from "@espalier/runtime"
import { Effect, Schema, Stream } from "effect"
import { Model } from "../artifacts/model.ts"
import { Text } from "../artifacts/text.ts"

const Count = Schema.Int.check(Schema.isGreaterThan(0))

/** `text/generate`: documents that a model writes, to calibrate on where there is too little text. */
export const textGenerate = Step.define({
  use: "text/generate",
  description: "Lets a model write documents, each from its prompt to its end.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    documents: Count.annotate({ description: "how many" }),
    tokens: Count.annotate({ description: "most tokens of one" }).pipe(
      Schema.withDecodingDefault(Effect.succeed(512)),
    ),
    prompt: Schema.String.annotate({ description: "how each begins" }).pipe(
      Schema.withDecodingDefault(Effect.succeed("")),
    ),
    temperature: Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
      .annotate({ description: "1 samples as the model predicts" })
      .pipe(Schema.withDecodingDefault(Effect.succeed(1))),
    topP: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
      .annotate({ description: "sample among the likeliest tokens of this total probability" })
      .pipe(Schema.withDecodingDefault(Effect.succeed(1))),
  }),
  inputs: { model: { type: Model, description: "the model that writes" } },
  outputs: { text: Text },
  limited: ["documents"],
  usesDevice: true,
  usesSeed: true,
  run: ({ id, config, inputs, seed }) =>
    Effect.gen(function* () {
      const { model, tokenizer } = inputs.model
      const { documents: total, temperature, topP } = config
      const prompt = encodeDocument(tokenizer, config.prompt)
      const stop = [tokenizer.begin, tokenizer.end].filter((token) => token !== undefined)
      const tokens = Math.min(config.tokens, model.contextLength - prompt.length)
      const documents: Array<string> = []
      let written = 0
      for (let i = 0; i < total; i++) {
        const decoder = tokenizer.decoder()
        let text = Array.from(prompt, (token) => decoder.push(token)).join("")
        const options = { tokens, temperature, topP, seed: seed * 1_000_003 + i, stop }
        yield* generate(model, prompt, options).pipe(
          Stream.runForEach((token) =>
            Effect.sync(() => {
              written++
              text += decoder.push(token)
            }),
          ),
        )
        documents.push(text + decoder.flush())
        yield* Progress.report({ task: id, completed: i + 1, total, unit: "documents" })
      }
      return { outputs: { text: { documents } }, metrics: { documents: total, tokens: written } }
    }),
})
