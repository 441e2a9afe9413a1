import type { Optimizer, TrainError } from "@espalier/nn"
import { Optimizers, Schedules, train } from "@espalier/nn"
import type { Device } from "@espalier/tensor"
import { Tensor } from "@espalier/tensor"
import { Effect } from "effect"
import type { CausalLM } from "./causal_lm.ts"
import { stackWindows, windowCrossEntropy } from "./perplexity.ts"
import { makeRandom } from "./random.ts"
import { TextTooShort } from "./text_windows.ts"

/** Options of {@link trainLanguageModel}. */
export interface TrainLanguageModelOptions {
  /** The training text as tokens. */
  readonly stream: Int32Array
  /** Tokens of one training window. */
  readonly window: number
  /** Windows of one step. */
  readonly batch: number
  readonly steps: number
  /** Peak of a warm-up and cosine schedule; 1e-3. */
  readonly learningRate?: number
  /** Steps of warm-up; a twentieth of all. */
  readonly warmup?: number
  /** AdamW with decays (0.9, 0.95) by default. */
  readonly optimizer?: Optimizer
  /** Largest global gradient norm; 1. */
  readonly clip?: number
  /** Chooses the windows. */
  readonly seed?: number
  /** For pruned models: every weight of a block's linears that is 0 stays 0, bit for bit; false. */
  readonly keepZeros?: boolean
}

/** What training gave. */
export interface TrainedLanguageModel {
  readonly model: CausalLM
  /** Mean cross-entropy of each step's batch, in nats a token. */
  readonly losses: ReadonlyArray<number>
}

/** The parameters, with linears through whose zeros no gradient flows. */
const holdZeros = (model: CausalLM, parameters: unknown): unknown =>
  model.blocks.reduce((all, block) => {
    const own = block.parameters(all) as Readonly<Record<string, Tensor.Tensor>>
    const held = block.linears.map(({ name }) => {
      const weight = own[name]
      return [name, Tensor.where(Tensor.notEqual(weight, 0), weight, 0)] as const
    })
    return block.replace(all, { ...own, ...Object.fromEntries(held) })
  }, parameters)

/**
 * Trains a model on next-token prediction: each step takes windows from random places of the
 * stream, the same ones for the same seed and step, so that a resumed run sees what an unbroken one
 * would have seen.
 *
 * Fails with `NonFinite` where the loss diverges, with `TextTooShort` where the stream does not fill
 * one window.
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
export const trainLanguageModel = (
  model: CausalLM,
  options: TrainLanguageModelOptions,
): Effect.Effect<TrainedLanguageModel, TrainError | TextTooShort, Device> => {
  const { stream, window, batch, steps, seed = 0, learningRate = 1e-3, clip = 1 } = options
  const optimizer =
    options.optimizer ??
    Optimizers.adamW({
      firstDecay: 0.9,
      secondDecay: 0.95,
      weightDecay: 0.1,
      decays: (_, shape) => shape.length > 1,
    })
  if (stream.length < window) {
    const hint = "Give more text, or choose a shorter window."
    return Effect.fail(new TextTooShort({ tokens: stream.length, window, hint }))
  }
  const warmup = options.warmup ?? Math.ceil(steps / 20)
  const batchOf = (step: number) => {
    const random = makeRandom((Math.imul(seed, 0x9e3779b1) + step) >>> 0)
    const rows = Array.from({ length: batch }, () => {
      const start = random.below(stream.length - window + 1)
      return stream.subarray(start, start + window)
    })
    return { tokens: stackWindows(rows) }
  }
  return train({
    name: "training",
    parameters: model.parameters,
    batch: batchOf,
    loss: (parameters, { tokens }) => {
      // A weight without value, gradient and moments is left alone by clipping, decay and Adam.
      const used = options.keepZeros === true ? holdZeros(model, parameters) : parameters
      return Tensor.mean(windowCrossEntropy(model, used, tokens))
    },
    steps,
    optimizer,
    clip,
    learningRate: Schedules.warmupCosine({ peak: learningRate, warmup, steps, floor: 0.05 }),
  }).pipe(
    Effect.map(({ parameters, losses }) => ({ model: model.withParameters(parameters), losses })),
  )
}
