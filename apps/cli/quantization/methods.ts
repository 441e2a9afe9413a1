import type { CausalLM } from "@espalier/models"
import type { QatMethod, QuantizedWeight, Quantizer, Scheme } from "@espalier/quantization"
import {
  awq,
  dlQat,
  gptq,
  hqq,
  largestRank,
  qaLora,
  qLora,
  quantize,
  rtn,
  trainQuantized,
} from "@espalier/quantization"
import { Notices } from "@espalier/runtime"
import type { Device } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect, Schema } from "effect"
import { Count, option, Penalty, Positive } from "../method_options.ts"
import type { QuantizeFigures } from "./figures.ts"
import { oneShotFigures, trainedFigures } from "./figures.ts"

/** What every method is told. */
export interface QuantizeWork {
  readonly scheme: Scheme
  /** Calibration, or what is trained on; none for methods that look at weights alone. */
  readonly windows: ReadonlyArray<Int32Array>
  /** Windows that run at once; for methods that train, windows of a step. */
  readonly batch: number
  readonly layerErrors: boolean
  readonly seed: number
  /** Whose predictions are learnt by methods that train; those of the model by default. */
  readonly teacher?: CausalLM | undefined
}

/** What every method gives. */
export interface QuantizedModel {
  /** With the weights that the codes stand for. */
  readonly model: CausalLM
  /** The codes of each linear, by its path. */
  readonly weights: ReadonlyMap<string, QuantizedWeight>
  readonly figures: QuantizeFigures
}

/** What can go wrong in any method. */
export type QuantizeProblem =
  | Effect.Error<ReturnType<typeof quantize>>
  | Effect.Error<ReturnType<typeof trainQuantized>>

type Work = Effect.Effect<QuantizedModel, QuantizeProblem, Device | Scope.Scope>

/** A quantisation method as the command line and pipelines offer it. */
export interface QuantizeMethod {
  readonly name: string
  readonly description: string
  /** Reads a text: to calibrate on, or to train on; or needs none. */
  readonly reads: "calibration" | "training" | "nothing"
  /** Its own options. */
  readonly options: Schema.Struct.Fields
  readonly run: (model: CausalLM, work: QuantizeWork, options: never) => Work
}

const define = <const F extends Schema.Struct.Fields>(
  method: Omit<QuantizeMethod, "options" | "run"> & {
    readonly options: F
    readonly run: (model: CausalLM, work: QuantizeWork, options: Schema.Struct<F>["Type"]) => Work
  },
): QuantizeMethod => method

const rangeOf = (usual: "min-max" | "mse") =>
  option(
    Schema.Literals(["min-max", "mse"]),
    `the range of a group: of its weights, or the share of it that loses least (default ${usual})`,
  )
const range = rangeOf("min-max")

/** Lets a quantizer work on all linears. */
const oneShot = (model: CausalLM, quantizer: Quantizer, work: QuantizeWork): Work =>
  Effect.map(quantize(model, quantizer, work), ({ model: quantized, weights, ...counted }) => ({
    model: quantized,
    weights,
    figures: oneShotFigures(counted),
  }))

const Kept = Schema.String.check(
  Schema.makeFilter((text) => {
    const [keep, of] = /^\d+:\d+$/.test(text) ? text.split(":").map(Number) : []
    return (keep >= 1 && of >= 2 && keep <= of) || 'must be "N:M" such as "2:4"'
  }),
)

/** N:M as a rule for all linears. */
const keepRule = (text: string) => {
  const [keep, of] = text.split(":").map(Number)
  return { keep, of }
}

const trainingOptions = {
  rank: option(Count, "of the change (default: the largest under trainableShare)"),
  trainableShare: option(
    Positive,
    "most numbers to train, over those of the linears (default 0.08)",
  ),
  loss: option(
    Schema.Literals(["distillation", "lm"]),
    "what is learnt: the predictions of the model as it was, or the text (default distillation)",
  ),
  steps: option(Count, "optimiser steps (default 300)"),
  learningRate: option(Positive, "peak of a warm-up and a cosine (default 0.003)"),
  range: rangeOf("mse"),
  keepZeros: option(Schema.Boolean, "for pruned models: weights that are 0 stay 0 (default false)"),
}

interface TrainingOptions {
  readonly rank?: number
  readonly trainableShare?: number
  readonly loss?: "distillation" | "lm"
  readonly steps?: number
  readonly learningRate?: number
  readonly range?: "min-max" | "mse"
  readonly keepZeros?: boolean
}

/** Trains what a method has of a rank; none where there is no change of low rank. */
const train = Effect.fnUntraced(function* (
  model: CausalLM,
  make: (rank: number) => QatMethod,
  work: QuantizeWork,
  { rank: given, trainableShare = 0.08, ...options }: TrainingOptions,
  hasRank = true,
): Effect.fn.Return<QuantizedModel, QuantizeProblem, Device | Scope.Scope> {
  const { scheme, windows, batch, seed, teacher } = work
  const linears = model.blocks.flatMap((block) => block.linears)
  const rank = hasRank ? (given ?? largestRank(linears, scheme, trainableShare, make)) : 0
  const trained = yield* trainQuantized(model, make(rank), {
    ...options,
    scheme,
    windows,
    batch,
    seed,
    ...(teacher === undefined ? {} : { teacher }),
  })
  const { trainedShare } = trained
  if (given === undefined && trainedShare > trainableShare) {
    yield* Notices.report(
      `rank ${rank} trains a share of ${trainedShare.toPrecision(3)}, more than ${trainableShare}`,
    )
  }
  const figures = trainedFigures(trained, rank)
  return { model: trained.model, weights: trained.weights, figures }
})

/** Every quantisation method, by the name after `quantize/`. */
export const quantizeMethods: ReadonlyArray<QuantizeMethod> = [
  define({
    name: "rtn",
    description: "Rounds each weight to the nearest of its group's grid; needs no text.",
    reads: "nothing",
    options: { range },
    run: (model, work, options) => oneShot(model, rtn(options), work),
  }),
  define({
    name: "gptq",
    description: "Rounds weights column by column; those after them make good for it (GPTQ).",
    reads: "calibration",
    options: {
      damping: option(
        Penalty,
        "added to the Hessian's diagonal, as a share of its mean (default 0.01)",
      ),
      activationOrder: option(
        Schema.Boolean,
        "begin with the inputs that are largest (default false)",
      ),
      staticGroups: option(
        Schema.Boolean,
        "choose the grids of all groups before the first column is rounded (default false)",
      ),
      range,
      keep: option(Kept, 'prune as well: "N:M" = N kept of every M inputs'),
    },
    run: (model, work, { keep, ...options }) => {
      const rule = keep === undefined ? {} : { keep: keepRule(keep) }
      return oneShot(model, gptq({ ...options, ...rule }), work)
    },
  }),
  define({
    name: "awq",
    description: "Scales the inputs that are large before it rounds their weights (AWQ).",
    reads: "calibration",
    options: {
      steps: option(Count, "exponents of the inputs' size that are tried beside 0 (default 20)"),
      range,
      rounding: option(
        Schema.Literals(["rtn", "gptq"]),
        "what rounds the scaled weights (default rtn)",
      ),
    },
    run: (model, work, { rounding, ...options }) => {
      const { steps: _, ...grid } = options
      const quantizer = rounding === "gptq" ? { quantizer: gptq(grid) } : {}
      return oneShot(model, awq({ ...options, ...quantizer }), work)
    },
  }),
  define({
    name: "hqq",
    description: "Fits the grid of each group to all but its outliers (HQQ); needs no text.",
    reads: "nothing",
    options: {
      norm: option(
        Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1, exclusiveMinimum: true })),
        "p of Σ |error|^p, which is minimised (default 0.7)",
      ),
      penalty: option(Positive, "how little an error counts as an outlier, at first (default 10)"),
      growth: option(Positive, "what that grows by with each iteration (default 1.01)"),
      iterations: option(Count, "steps for a group (default 20)"),
    },
    run: (model, work, options) => oneShot(model, hqq(options), work),
  }),
  define({
    name: "dl-qat",
    description:
      "Trains magnitudes of groups and a change of low rank through the rounding (DL-QAT).",
    reads: "training",
    options: {
      ...trainingOptions,
      magnitudeRate: option(Positive, "how much faster magnitudes are trained (default 10)"),
      train: option(
        Schema.Literals(["all", "magnitude", "low-rank"]),
        "magnitudes and change, or one of them alone (default all)",
      ),
    },
    run: (model, work, { magnitudeRate, train: part = "all", ...options }) =>
      train(
        model,
        (rank) =>
          dlQat({
            rank,
            magnitude: part !== "low-rank",
            ...(magnitudeRate === undefined ? {} : { magnitudeRate }),
          }),
        work,
        options,
        part !== "magnitude",
      ),
  }),
  define({
    name: "qlora",
    description:
      "Trains a change of low rank over rounded weights, and rounds again (QLoRA-style).",
    reads: "training",
    options: trainingOptions,
    run: (model, work, options) => train(model, (rank) => qLora({ rank }), work, options),
  }),
  define({
    name: "qa-lora",
    description:
      "Trains a change of low rank that goes into zero points (QA-LoRA); formats do not hold these.",
    reads: "training",
    options: trainingOptions,
    run: (model, work, options) => train(model, (rank) => qaLora({ rank }), work, options),
  }),
]
