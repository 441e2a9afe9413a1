import { countParameters, perplexity } from "@espalier/models"
import { Step } from "@espalier/pipeline"
import { countSparsity } from "@espalier/pruning"
import { bitsPerWeight, overallBits } from "@espalier/quantization"
import { Effect, Schema } from "effect"
import { Model } from "../artifacts/model.ts"
import type { QuantizedWeights } from "../artifacts/quantized_weights.ts"
import { Text } from "../artifacts/text.ts"
import { readModel } from "./model_files.ts"
import { windowFields, windowsOf } from "./windows.ts"

/** `model/load`: a model from files. */
export const modelLoad = Step.define({
  use: "model/load",
  description:
    "Reads a llama2.c checkpoint (v0, v1, v2), a GGUF file, or a folder in the Hugging Face layout.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    path: Schema.String.annotate({ description: "the checkpoint, or the folder" }),
    tokenizer: Schema.optionalKey(
      Schema.String.annotate({ description: "the tokenizer's file; a folder may hold its own" }),
    ),
  }),
  paths: ["path", "tokenizer"],
  outputs: { model: Model },
  run: ({ paths }) =>
    Effect.gen(function* () {
      const value = yield* readModel(paths.path, paths.tokenizer)
      const { model } = value
      return {
        outputs: { model: value },
        metrics: {
          parameters: countParameters(model),
          layers: model.blocks.length,
          context: model.contextLength,
          vocabulary: model.vocabularySize,
        },
      }
    }),
})

/** Bits of the weights that are quantised, scales and zero points included. */
const bitsOf = (quantized: QuantizedWeights): number =>
  overallBits(
    Array.from(quantized.values(), (weight) => ({
      bitsPerWeight: bitsPerWeight(weight),
      size: weight.codes.length,
    })),
  )

/** `model/perplexity`: how well a model predicts a text. */
export const modelPerplexity = Step.define({
  use: "model/perplexity",
  description:
    "Perplexity over non-overlapping windows of a text, the tail dropped; counts the model's zeros and bits too.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct(windowFields),
  inputs: {
    model: { type: Model, description: "the model" },
    text: { type: Text, description: "the text it has to predict" },
  },
  usesDevice: true,
  run: ({ config, inputs }) =>
    Effect.gen(function* () {
      const windows = yield* windowsOf(inputs.model, inputs.text, config)
      const { model, quantized } = inputs.model
      const measured = yield* perplexity(model, windows, { batch: config.batch })
      return {
        metrics: {
          perplexity: measured.perplexity,
          sparsity: { overall: countSparsity(model).sparsity },
          ...(quantized === undefined ? {} : { bitsPerWeight: bitsOf(quantized) }),
          tokens: measured.tokens,
          windows: measured.windows,
          window: measured.window,
        },
      }
    }),
})
