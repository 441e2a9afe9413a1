import type {
  EvaluatedStep,
  LearningRateSchedule,
  Optimizer,
  ParameterTree,
  TrainError,
  TrainEvent,
  TrainResult,
} from "@espalier/nn"
import { InvalidTraining, train } from "@espalier/nn"
import type { Device, HostArray } from "@espalier/tensor"
import { DeviceArray, Program, Spec, Tensor } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect } from "effect"
import type { CausalLM, Tree } from "./causal_lm.ts"
import { countParameters } from "./causal_lm.ts"
import type { InvalidLowRank, LowRankOptions, LowRankParameters } from "./low_rank.ts"
import { makeLowRank } from "./low_rank.ts"
import { stackWindows, windowCrossEntropy } from "./perplexity.ts"
import { makeRandom } from "./random.ts"
import { TextTooShort } from "./text_windows.ts"
import type { OptimizerName, ScheduleName } from "./train_language_model_options.ts"
import { languageModelOptimizer, languageModelSchedule } from "./train_language_model_options.ts"

type T = Tensor.Tensor

/** Options of {@link trainLanguageModel}. */
export interface TrainLanguageModelOptions {
  /** The training text as tokens. */
  readonly stream: Int32Array
  /** Tokens of one training window. */
  readonly window: number
  /** Windows of one step. */
  readonly batch: number
  readonly steps: number
  /** Peak of the schedule; 1e-3. */
  readonly learningRate?: number
  /** Steps of warm-up; a twentieth of all. */
  readonly warmup?: number
  /** What follows warm-up, or the rate of every step; `cosine`. */
  readonly schedule?: ScheduleName | LearningRateSchedule
  /** By name, with the constants of {@link languageModelOptimizer}, or one's own; `adamw`. */
  readonly optimizer?: OptimizerName | Optimizer
  /** Largest global gradient norm; 1. */
  readonly clip?: number
  /** Chooses the windows. */
  readonly seed?: number
  /** Parts that the windows of a step go through the model in, to save memory; 1. It must divide `batch`. */
  readonly accumulate?: number
  /** Decay of a moving average of the parameters, which then is the trained model; none by default. */
  readonly average?: number
  /** Measures the model on other text as it learns; the trained model is then the best one measured. */
  readonly evaluate?: {
    /** Windows of equal length. */
    readonly windows: ReadonlyArray<Int32Array>
    /** Steps between two evaluations; the model it begins with is one of them. */
    readonly every: number
    /** Training ends after so many evaluations without improvement. */
    readonly patience?: number
  }
  /** Trains adapters of low rank and nothing else; they are merged into the model in the end. */
  readonly lowRank?: LowRankOptions
  /**
   * `f16` rounds the weights and inputs of the blocks' linears to `f16`, which needs a device with it;
   * `f32` by default.
   */
  readonly precision?: "f32" | "f16"
  /** For pruned models: every weight of a block's linears that is 0 stays 0, bit for bit; false. */
  readonly keepZeros?: boolean
  /** Told what happens, as data. */
  readonly onEvent?: (event: TrainEvent) => Effect.Effect<void>
  /** Seconds between checkpoints; 20. */
  readonly checkpointSeconds?: number
}

/** What training gave. */
export interface TrainedLanguageModel {
  /** The best model where there are evaluations, else the average where there is one, else the last. */
  readonly model: CausalLM
  /** Mean cross-entropy of each step's batch, in nats a token. */
  readonly losses: ReadonlyArray<number>
  /** Mean cross-entropy of the evaluation's windows, in nats a token. */
  readonly evaluations: ReadonlyArray<EvaluatedStep>
  /** The evaluation that {@link TrainedLanguageModel.model} is from. */
  readonly best?: EvaluatedStep
  /** How many numbers were trained. */
  readonly trained: number
}

/** Traced parameters with `f` of the weights of all linears. */
const mapLinears = (model: CausalLM, parameters: Tree, f: (weight: T) => T): Tree =>
  model.blocks.reduce((all, block) => {
    const own = block.parameters(all) as Readonly<Record<string, T>>
    const changed = block.linears.map(({ name }) => [name, f(own[name])] as const)
    return block.replace(all, { ...own, ...Object.fromEntries(changed) })
  }, parameters)

/** The parameters, with linears through whose zeros no gradient flows. */
const holdZeros = (model: CausalLM, parameters: Tree): Tree =>
  mapLinears(model, parameters, (weight) => Tensor.where(Tensor.notEqual(weight, 0), weight, 0))

/** The optimiser, which then moves no zero of a linear: Muon would. */
const withoutZeros = (model: CausalLM, rule: Optimizer): Optimizer => {
  const linears = new Set(model.blocks.flatMap((block) => block.linears.map(({ path }) => path)))
  return {
    ...rule,
    update: (parameter, gradient, state, numbers, path) => {
      const next = rule.update(parameter, gradient, state, numbers, path)
      if (!linears.has(path)) return next
      const moves = Tensor.notEqual(parameter, 0)
      return { ...next, parameter: Tensor.where(moves, next.parameter, parameter) }
    },
  }
}

/** A number that two texts hardly share (FNV-1a). */
const checksum = (stream: Int32Array): number => {
  let hash = 0x811c9dc5
  for (const token of stream) hash = Math.imul(hash ^ token, 0x01000193)
  return hash >>> 0
}

/** What is trained, what it is put on, and the model's parameters that the two make. */
interface Trainable<P, C> {
  readonly parameters: P
  readonly constants?: C
  readonly weights: (parameters: ParameterTree<P, T>, constants: ParameterTree<C, T>) => Tree
}

/** Mean cross-entropy of windows under parameters on the device. */
const makeEvaluation = Effect.fnUntraced(function* <P, C>(
  model: CausalLM,
  { parameters, constants, weights }: Trainable<P, C>,
  windows: ReadonlyArray<Int32Array>,
) {
  const batch = Math.min(8, windows.length)
  const inputs = {
    parameters: Spec.of(parameters),
    tokens: Spec.i32([batch, windows[0].length]),
    ...(constants === undefined ? {} : { constants: Spec.of(constants) }),
  }
  const program = Program.make("evaluation", inputs, (given) => {
    const base = "constants" in given ? given.constants : undefined
    const tree = weights(given.parameters as ParameterTree<P, T>, base as ParameterTree<C, T>)
    return windowCrossEntropy(model, tree, given.tokens)
  })
  const run = yield* Program.compile(program)
  return Effect.fnUntraced(function* (parameters: unknown, constants: unknown) {
    let total = 0
    for (let start = 0; start < windows.length; start += batch) {
      const rows = windows.slice(start, start + batch)
      const tokens = stackWindows(rows, batch)
      const given = { parameters, tokens, ...(constants === undefined ? {} : { constants }) }
      const made = yield* run(given as unknown as Parameters<typeof run>[0])
      const losses = yield* DeviceArray.toArray(made)
      DeviceArray.release(made)
      for (const [i] of rows.entries()) total += losses[i]
    }
    return total / windows.length
  })
})

/** Trains what is trainable of a model; gives the parameters to keep beside what was seen. */
const trainTree = Effect.fnUntraced(function* <P, C>(
  model: CausalLM,
  trainable: Trainable<P, C>,
  options: TrainLanguageModelOptions,
) {
  const { stream, window, batch, steps, seed = 0, clip = 1, accumulate = 1 } = options
  const { schedule = "cosine", optimizer = "adamw", learningRate: peak = 1e-3, precision } = options
  const { warmup, evaluate, average, onEvent, checkpointSeconds } = options
  const learningRate =
    typeof schedule === "function"
      ? schedule
      : languageModelSchedule(schedule, {
          peak,
          steps,
          ...(warmup === undefined ? {} : { warmup }),
        })
  const named = typeof optimizer === "string" ? languageModelOptimizer(optimizer, model) : optimizer
  const rule = options.keepZeros === true ? withoutZeros(model, named) : named
  const rows = batch / accumulate
  const batchOf = (step: number, part: number) => {
    const random = makeRandom((Math.imul(seed, 0x9e3779b1) + step) >>> 0)
    const windows = Array.from({ length: batch }, () => {
      const start = random.below(stream.length - window + 1)
      return stream.subarray(start, start + window)
    })
    return { tokens: stackWindows(windows.slice(part * rows, (part + 1) * rows)) }
  }
  const evaluation =
    evaluate === undefined ? undefined : yield* makeEvaluation(model, trainable, evaluate.windows)
  const rates = [1, Math.ceil(steps / 2), steps].map(learningRate)
  const job = [checksum(stream), window, batch, accumulate, seed, steps, rule.name, ...rates]
  const found = yield* train({
    name: "training",
    job: job.join(" "),
    parameters: trainable.parameters,
    ...(trainable.constants === undefined ? {} : { constants: trainable.constants }),
    batch: batchOf,
    loss: (parameters, { tokens }, constants) => {
      const tree = trainable.weights(parameters, constants)
      const used =
        precision === "f16" ? mapLinears(model, tree, (weight) => Tensor.cast(weight, "f16")) : tree
      return Tensor.mean(windowCrossEntropy(model, used, tokens))
    },
    steps,
    optimizer: rule,
    clip,
    learningRate,
    accumulate,
    items: { count: batch * window, unit: "tokens" },
    // The weights are rounded above, where adapters are merged already.
    halves: () => false,
    ...(precision === undefined ? {} : { precision }),
    ...(average === undefined ? {} : { average }),
    ...(onEvent === undefined ? {} : { onEvent }),
    ...(checkpointSeconds === undefined ? {} : { checkpointSeconds }),
    ...(evaluate === undefined || evaluation === undefined
      ? {}
      : {
          evaluate: {
            every: evaluate.every,
            run: evaluation,
            ...(evaluate.patience === undefined ? {} : { patience: evaluate.patience }),
          },
        }),
  })
  return { ...found, kept: found.best?.parameters ?? found.average ?? found.parameters }
})

/**
 * Trains a model on next-token prediction: each step takes windows from random places of the
 * stream, the same ones for the same seed and step, so that a resumed run sees what an unbroken one
 * would have seen.
 *
 * Fails with `NonFinite` where the loss diverges, with `TextTooShort` where the stream does not fill
 * one window, with `InvalidTraining` or {@link InvalidLowRank} where a number among the options makes no
 * sense, and with `UnsupportedDType` where the device lacks the precision.
 *
 * @example
 * ```ts
 * import { Effect, Result } from "effect"
 * import { Interpreter } from "@espalier/tensor"
 * import { initializeLlama, makeLlama, makeLlamaConfig, trainLanguageModel } from "@espalier/models"
 *
 * const config = Result.getOrThrow(makeLlamaConfig({
 *   dimension: 8, hiddenDimension: 16, layers: 1, heads: 2, keyValueHeads: 1,
 *   vocabularySize: 4, contextLength: 8,
 * }))
 * const stream = Int32Array.from({ length: 100 }, (_, i) => i % 4)
 * const { losses } = await Effect.gen(function* () {
 *   const model = makeLlama(config, yield* initializeLlama(config, 0))
 *   return yield* trainLanguageModel(model, { stream, window: 8, batch: 4, steps: 10 })
 * }).pipe(Effect.provide(Interpreter.layer), Effect.runPromise)
 * console.log(losses[9] < losses[0]) // true
 * ```
 */
export const trainLanguageModel = Effect.fn("trainLanguageModel")(function* (
  model: CausalLM,
  options: TrainLanguageModelOptions,
): Effect.fn.Return<
  TrainedLanguageModel,
  TrainError | TextTooShort | InvalidLowRank,
  Device | Scope.Scope
> {
  const { stream, window, batch, accumulate = 1, lowRank, keepZeros = false } = options
  if (stream.length < window) {
    const hint = "Give more text, or choose a shorter window."
    return yield* new TextTooShort({ tokens: stream.length, window, hint })
  }
  if (batch % accumulate !== 0) {
    const hint = `Give a divisor of the batch of ${batch} windows.`
    return yield* new InvalidTraining({ option: "accumulate", found: accumulate, hint })
  }
  const seen = ({ losses, evaluations, best }: TrainResult<unknown>) => ({
    losses,
    evaluations,
    ...(best === undefined ? {} : { best: { step: best.step, value: best.value } }),
  })
  if (lowRank === undefined) {
    const { parameters } = model
    // A weight without value, gradient and moments is left alone by clipping, decay and Adam.
    const weights = (own: Tree) => (keepZeros ? holdZeros(model, own) : own)
    const found = yield* trainTree(model, { parameters, weights }, options)
    const trained = countParameters(model)
    return { model: model.withParameters(found.kept), trained, ...seen(found) }
  }
  const adapters = yield* Effect.fromResult(makeLowRank(model, { ...lowRank, keepZeros }))
  const trainable: Trainable<LowRankParameters<HostArray.HostArray>, Tree> = {
    parameters: adapters.parameters,
    constants: model.parameters,
    weights: (own, base) => adapters.apply(base, own),
  }
  const found = yield* trainTree(model, trainable, options)
  const merged = yield* adapters.merge(model, found.kept)
  return { model: merged, trained: adapters.count, ...seen(found) }
}, Effect.scoped)
