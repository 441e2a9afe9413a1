import { Step } from "@espalier/pipeline"
import { Effect, Schema } from "effect"
import { Model } from "../artifacts/model.ts"
import { Text } from "../artifacts/text.ts"
import type { ModelSizes } from "./train_model.ts"
import { freshModel, newTokenizer, trainingFields, trainModel } from "./train_model.ts"

const Count = Schema.Int.check(Schema.isGreaterThan(0))
const count = (description: string) => Count.annotate({ description })
const size = (description: string) => Schema.optionalKey(count(`${description}; not with model`))

/** The sizes of a model were not given where they are needed, or were where they are not. */
export class ModelSizesMismatch extends Schema.TaggedError<ModelSizesMismatch>()(
  "ModelSizesMismatch",
  {
    /** The sizes in question. */
    keys: Schema.Array(Schema.String),
    problem: Schema.Literals(["missing", "unwanted"]),
    hint: Schema.String,
  },
) {
  override get message(): string {
    const keys = this.keys.join(", ")
    return this.problem === "missing"
      ? `a new model needs its sizes: ${keys}`
      : `a model that is there has its own: ${keys}`
  }
}

const sizeKeys = [
  "dimension",
  "hiddenDimension",
  "layers",
  "heads",
  "keyValueHeads",
  "contextLength",
] as const satisfies ReadonlyArray<keyof ModelSizes>

/** All sizes of a new model. */
const requireSizes = (given: Partial<ModelSizes>) => {
  const keys = sizeKeys.filter((key) => given[key] === undefined)
  const hint = "Give them, or a model to go on with."
  return keys.length === 0
    ? Effect.succeed(given as ModelSizes)
    : Effect.fail(new ModelSizesMismatch({ keys, problem: "missing", hint }))
}

/** What else only a new model is told. */
interface NewModel {
  readonly embeddingScale: number
  readonly vocabulary: number
  readonly tokenizer: string
}

/** No sizes for a model that is there. */
export const refuseSizes = (given: Partial<ModelSizes & NewModel>) => {
  const known = [...sizeKeys, "embeddingScale", "vocabulary", "tokenizer"] as const
  const keys = known.filter((key) => given[key] !== undefined)
  const hint = "Leave them out, or train a new model."
  return keys.length === 0
    ? Effect.void
    : Effect.fail(new ModelSizesMismatch({ keys, problem: "unwanted", hint }))
}

/** `model/train`: a small model grown from nothing, or one that is there trained further. */
export const modelTrain = Step.define({
  use: "model/train",
  description: "Trains a new LLaMA-style model, or one that is there, on a text.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    dimension: size("width of the hidden states"),
    hiddenDimension: size("width inside the feed-forward network"),
    layers: size("decoder blocks"),
    heads: size("attention heads"),
    keyValueHeads: size("heads of keys and values"),
    contextLength: size("tokens the model can see"),
    embeddingScale: Schema.optionalKey(
      Schema.Finite.check(Schema.isGreaterThan(0)).annotate({
        description:
          "deviation of the first embeddings, times √dimension (default 0.5); not with model",
      }),
    ),
    vocabulary: size("most words of a new tokenizer (default all of the text)"),
    tokenizer: Schema.optionalKey(
      Schema.String.annotate({
        description: "a tokenizer's file, for a new model (default: the words of the text)",
      }),
    ),
    window: count("tokens per training window"),
    batch: count("windows per step").pipe(Schema.withDecodingDefault(Effect.succeed(16))),
    steps: count("optimiser steps"),
    learningRate: Schema.optionalKey(
      Schema.Finite.check(Schema.isGreaterThan(0)).annotate({
        description: "peak after the warm-up (default 0.002, for lion 0.0002)",
      }),
    ),
    ...trainingFields,
    evaluateEvery: Schema.optionalKey(
      count("steps between two measurements of evaluation (default a tenth of all)"),
    ),
    evaluateWindows: count("most windows of evaluation").pipe(
      Schema.withDecodingDefault(Effect.succeed(64)),
    ),
    patience: Schema.optionalKey(
      count("measurements without a better one after which training ends"),
    ),
  }),
  inputs: {
    text: { type: Text, description: "what to learn from" },
    model: { type: Model, optional: true, description: "the model to go on with" },
    evaluation: {
      type: Text,
      optional: true,
      description: "text to measure on; the model that is best there is kept",
    },
  },
  paths: ["tokenizer"],
  outputs: { model: Model },
  limited: ["steps", "evaluateWindows"],
  usesDevice: true,
  usesSeed: true,
  run: ({ config, inputs, paths, seed }) =>
    Effect.gen(function* () {
      const { text, model, evaluation } = inputs
      if (model !== undefined) yield* refuseSizes(config)
      const start =
        model ??
        (yield* freshModel(
          yield* requireSizes(config),
          yield* newTokenizer(text, { file: paths.tokenizer, vocabulary: config.vocabulary }),
          seed,
        ))
      const { value, metrics } = yield* trainModel(start, text, { ...config, evaluation, seed })
      return { outputs: { model: value }, metrics }
    }),
})
