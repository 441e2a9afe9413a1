import { Step } from "@espalier/pipeline"
import { Effect, Schema } from "effect"
import { Text } from "../artifacts/text.ts"

/** `text/join`: several texts as one. */
export const textJoin = Step.define({
  use: "text/join",
  description: "Puts the documents of several texts one after the other.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({}),
  inputs: { texts: { type: Text, many: true, description: "the texts, in their order" } },
  outputs: { text: Text },
  run: ({ inputs: { texts } }) => {
    const documents = texts.flatMap(({ value }) => value.documents)
    return Effect.succeed({
      outputs: { text: { documents } },
      metrics: { documents: documents.length },
    })
  },
})
