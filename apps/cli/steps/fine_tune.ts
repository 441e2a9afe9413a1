import { tokenStream } from "@espalier/models"
import { Step } from "@espalier/pipeline"
import { fineTune } from "@espalier/pruning"
import { Effect, Schema } from "effect"
import { Model } from "../artifacts/model.ts"
import { Text } from "../artifacts/text.ts"
import { trainingFields, trainingOptions } from "./train_model.ts"

const Count = Schema.Int.check(Schema.isGreaterThan(0))

/** `model/fine-tune`: a pruned model trained further, its zeros kept. */
export const modelFineTune = Step.define({
  use: "model/fine-tune",
  description: "Trains a pruned model further on a text; its zeros stay zeros, bit for bit.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    window: Count.annotate({ description: "tokens per training window" }),
    batch: Count.annotate({ description: "windows per step" }).pipe(
      Schema.withDecodingDefault(Effect.succeed(16)),
    ),
    steps: Count.annotate({ description: "optimiser steps" }),
    learningRate: Schema.Finite.check(Schema.isGreaterThan(0))
      .annotate({ description: "peak after the warm-up" })
      .pipe(Schema.withDecodingDefault(Effect.succeed(1e-3))),
    ...trainingFields,
  }),
  inputs: {
    model: { type: Model, description: "the pruned model" },
    text: { type: Text, description: "what to learn from" },
  },
  outputs: { model: Model },
  limited: ["steps"],
  usesDevice: true,
  usesSeed: true,
  run: ({ config, inputs, seed }) =>
    Effect.gen(function* () {
      const { model: before, tokenizer } = inputs.model
      const stream = tokenStream(tokenizer, inputs.text.documents)
      const { window, batch, steps, learningRate } = config
      const { model, sparsity, losses } = yield* fineTune(before, {
        stream,
        window,
        batch,
        steps,
        learningRate,
        seed,
        ...trainingOptions(config, seed),
      })
      const tail = losses.slice(-20)
      return {
        outputs: { model: { model, tokenizer } },
        metrics: {
          sparsity: { overall: sparsity },
          steps,
          tokens: steps * batch * window,
          loss: tail.reduce((sum, loss) => sum + loss, 0) / tail.length,
        },
      }
    }),
})
