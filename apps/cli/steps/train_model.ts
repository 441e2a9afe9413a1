import type {
  CausalLM,
  InvalidModelConfig,
  Tokenizer,
  TrainLanguageModelOptions,
} from "@espalier/models"
import {
  countParameters,
  cutWindows,
  initializeLlama,
  makeLlama,
  makeLlamaConfig,
  makeWordTokenizerFor,
  optimizerNames,
  scheduleNames,
  tokenStream,
  trainLanguageModel,
  usualLearningRate,
} from "@espalier/models"
import { Notices } from "@espalier/runtime"
import type { CompileError, Device, Program } from "@espalier/tensor"
import { Effect, Schema } from "effect"
import type { ModelValue } from "../artifacts/model.ts"
import type { TextValue } from "../artifacts/text.ts"
import { readTokenizer } from "./model_files.ts"

const Count = Schema.Int.check(Schema.isGreaterThan(0))
const count = (description: string) => Count.annotate({ description })
const countOr = (description: string, value: number) =>
  count(description).pipe(Schema.withDecodingDefault(Effect.succeed(value)))

/** The keys that say how something is trained, beside its steps. */
export const trainingFields = {
  optimizer: Schema.Literals(optimizerNames)
    .annotate({ description: "the update rule" })
    .pipe(Schema.withDecodingDefault(Effect.succeed("adamw" as const))),
  schedule: Schema.Literals(scheduleNames)
    .annotate({ description: "what the learning rate does after its warm-up" })
    .pipe(Schema.withDecodingDefault(Effect.succeed("cosine" as const))),
  accumulate: countOr("parts that the windows of a step are cut into, to save memory", 1),
  average: Schema.optionalKey(
    Schema.Finite.check(
      Schema.isBetween({ minimum: 0, maximum: 1, exclusiveMaximum: true }),
    ).annotate({
      description: "decay of a moving average of the weights, which then is the model, e.g. 0.999",
    }),
  ),
  adapter: Schema.Literals(["none", "lora", "dora"])
    .annotate({
      description: "train all weights, or adapters of low rank that are merged in the end",
    })
    .pipe(Schema.withDecodingDefault(Effect.succeed("none" as const))),
  rank: countOr("of the adapters", 8),
  precision: Schema.Literals(["f32", "f16"])
    .annotate({ description: "f16 rounds the linears of the blocks, on a GPU with shader-f16" })
    .pipe(Schema.withDecodingDefault(Effect.succeed("f32" as const))),
}

/** The values of {@link trainingFields}. */
export interface TrainingChoices {
  readonly optimizer: (typeof optimizerNames)[number]
  readonly schedule: (typeof scheduleNames)[number]
  readonly accumulate: number
  readonly average?: number
  readonly adapter: "none" | "lora" | "dora"
  readonly rank: number
  readonly precision: "f32" | "f16"
}

/** What these choices are to {@link trainLanguageModel}. */
export const trainingOptions = (choices: TrainingChoices, seed: number) => {
  const { optimizer, schedule, accumulate, average, adapter, rank, precision } = choices
  return {
    optimizer,
    schedule,
    accumulate,
    precision,
    ...(average === undefined ? {} : { average }),
    ...(adapter === "none" ? {} : { lowRank: { rank, kind: adapter, seed } }),
  } satisfies Partial<TrainLanguageModelOptions>
}

/** The sizes of a model that is grown from nothing. */
export interface ModelSizes {
  readonly dimension: number
  readonly hiddenDimension: number
  readonly layers: number
  readonly heads: number
  readonly keyValueHeads: number
  readonly contextLength: number
  /** Deviation of the first embeddings, times √dimension; 0.5. */
  readonly embeddingScale?: number
}

/** The tokenizer of a new model: that of a file, or one for the words of a text. */
export const newTokenizer = Effect.fnUntraced(function* (
  text: TextValue,
  options: { readonly file?: string | undefined; readonly vocabulary?: number | undefined },
) {
  const { file, vocabulary } = options
  if (file !== undefined) return (yield* readTokenizer("", file)).tokenizer
  const most = vocabulary === undefined ? {} : { maximumSize: vocabulary }
  return makeWordTokenizerFor(text.documents, most)
})

/** What can go wrong when a model is made. */
export type FreshModelError = InvalidModelConfig | Program.RunError | CompileError

/** An untrained model with these sizes and the tokens of a tokenizer. */
export const freshModel = Effect.fnUntraced(function* (
  sizes: ModelSizes,
  tokenizer: Tokenizer,
  seed: number,
): Effect.fn.Return<ModelValue, FreshModelError, Device> {
  const { vocabularySize } = tokenizer
  const config = yield* Effect.fromResult(makeLlamaConfig({ ...sizes, vocabularySize }))
  const value: ModelValue = {
    model: makeLlama(config, yield* initializeLlama(config, seed, sizes)),
    tokenizer,
  }
  return value
})

/** What {@link trainModel} is told beside model and text. */
export interface TrainModelOptions
  extends TrainingChoices, Pick<TrainLanguageModelOptions, "onEvent" | "checkpointSeconds"> {
  readonly window: number
  readonly batch: number
  readonly steps: number
  readonly learningRate?: number
  readonly seed: number
  /** Text that is measured as the model learns. */
  readonly evaluation?: TextValue | undefined
  /** Steps between two measurements; a tenth of all. */
  readonly evaluateEvery?: number
  /** Most windows of it; 64. */
  readonly evaluateWindows?: number
  readonly patience?: number
}

const meanOf = (values: ReadonlyArray<number>) =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** Most points of a curve that goes into metrics. */
const curvePoints = 200

/** Means over equal stretches of the losses, by the last step of each: what a chart can show. */
export const lossCurve = (losses: ReadonlyArray<number>): Readonly<Record<string, number>> => {
  const width = Math.ceil(losses.length / curvePoints)
  const ends = Array.from({ length: Math.ceil(losses.length / width) }, (_, i) =>
    Math.min(losses.length, (i + 1) * width),
  )
  return Object.fromEntries(
    ends.map((end, i) => [end, meanOf(losses.slice(i * width, end))] as const),
  )
}

/** The first windows of the text that a model is measured on. */
const evaluationOf = Effect.fnUntraced(function* (
  { model, tokenizer }: ModelValue,
  { evaluation, steps, window, patience, ...options }: TrainModelOptions,
) {
  if (evaluation === undefined) {
    if (patience !== undefined)
      yield* Notices.report("patience has no effect without a text to measure on")
    return {}
  }
  const stream = tokenStream(tokenizer, evaluation.documents)
  const { contextLength } = model
  const cut = { window, samples: options.evaluateWindows ?? 64, contextLength }
  const { windows } = yield* Effect.fromResult(cutWindows(stream, cut))
  const every = options.evaluateEvery ?? Math.ceil(steps / 10)
  return { evaluate: { windows, every, ...(patience === undefined ? {} : { patience }) } }
})

/** Trains a model on a text, and says how that went. */
export const trainModel = Effect.fnUntraced(function* (
  start: ModelValue,
  text: TextValue,
  options: TrainModelOptions,
) {
  const { window, batch, steps, seed, optimizer, onEvent, checkpointSeconds } = options
  const { model, tokenizer } = start
  const { contextLength } = model
  const stream = tokenStream(tokenizer, text.documents)
  yield* Effect.fromResult(cutWindows(stream, { window, samples: 1, contextLength }))
  const found = yield* trainLanguageModel(model, {
    stream,
    window,
    batch,
    steps,
    seed,
    learningRate: options.learningRate ?? usualLearningRate(optimizer),
    ...trainingOptions(options, seed),
    ...(yield* evaluationOf(start, options)),
    ...(onEvent === undefined ? {} : { onEvent }),
    ...(checkpointSeconds === undefined ? {} : { checkpointSeconds }),
  })
  const { losses, best, trained } = found
  const parameters = countParameters(model)
  const trainedModel: CausalLM = found.model
  return {
    value: { model: trainedModel, tokenizer } satisfies ModelValue,
    metrics: {
      parameters,
      vocabulary: tokenizer.vocabularySize,
      steps: losses.length,
      tokens: losses.length * batch * window,
      loss: meanOf(losses.slice(-20)),
      losses: lossCurve(losses),
      ...(best === undefined
        ? {}
        : {
            perplexity: Math.exp(best.value),
            bestStep: best.step,
            evaluations: Object.fromEntries(
              found.evaluations.map(({ step, value }) => [step, Math.exp(value)]),
            ),
          }),
      ...(trained === parameters ? {} : { trainedShare: trained / parameters }),
    },
  }
})
