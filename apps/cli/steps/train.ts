import {
  countLlamaParameters,
  cutWindows,
  initializeLlama,
  makeLlama,
  makeLlamaConfig,
  makeWordTokenizerFor,
  tokenStream,
  trainLanguageModel,
} from "@espalier/models"
import { Step } from "@espalier/pipeline"
import { Effect, Schema } from "effect"
import { Model } from "../artifacts/model.ts"
import { Text } from "../artifacts/text.ts"

const Count = Schema.Int.check(Schema.isGreaterThan(0))
const count = (description: string) => Count.annotate({ description })
const countOr = (description: string, value: number) =>
  count(description).pipe(Schema.withDecodingDefault(Effect.succeed(value)))

/** `model/train`: a small model grown from nothing. */
export const modelTrain = Step.define({
  use: "model/train",
  description: "Trains a LLaMA-style model on the words of a text.",
  version: 1,
  config: Schema.Struct({
    dimension: count("width of the hidden states"),
    hiddenDimension: count("width inside the feed-forward network"),
    layers: count("decoder blocks"),
    heads: count("attention heads"),
    keyValueHeads: count("heads of keys and values"),
    contextLength: count("tokens the model can see"),
    window: count("tokens per training window"),
    batch: countOr("windows per step", 16),
    steps: count("optimiser steps"),
    learningRate: Schema.Finite.check(Schema.isGreaterThan(0))
      .annotate({ description: "peak of warm-up and cosine" })
      .pipe(Schema.withDecodingDefault(Effect.succeed(2e-3))),
  }),
  inputs: { text: { type: Text, description: "what to learn from; its words are the vocabulary" } },
  outputs: { model: Model },
  usesDevice: true,
  usesSeed: true,
  run: ({ config, inputs, seed }) =>
    Effect.gen(function* () {
      const { window, batch, steps, learningRate, ...sizes } = config
      const tokenizer = makeWordTokenizerFor(inputs.text.documents)
      const llama = yield* Effect.fromResult(
        makeLlamaConfig({ ...sizes, vocabularySize: tokenizer.vocabularySize }),
      )
      const stream = tokenStream(tokenizer, inputs.text.documents)
      const { contextLength } = llama
      yield* Effect.fromResult(cutWindows(stream, { window, samples: 1, contextLength }))
      const start = makeLlama(llama, yield* initializeLlama(llama, seed))
      const options = { stream, window, batch, steps, learningRate, seed }
      const { model, losses } = yield* trainLanguageModel(start, options)
      const tail = losses.slice(-20)
      return {
        outputs: { model: { model, tokenizer } },
        metrics: {
          parameters: countLlamaParameters(llama),
          vocabulary: tokenizer.vocabularySize,
          steps,
          tokens: steps * batch * window,
          loss: tail.reduce((sum, loss) => sum + loss, 0) / tail.length,
        },
      }
    }),
})
