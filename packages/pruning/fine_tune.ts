import type {
  CausalLM,
  InvalidLowRank,
  TextTooShort,
  TrainLanguageModelOptions,
} from "@espalier/models"
import { trainLanguageModel } from "@espalier/models"
import type { TrainError } from "@espalier/nn"
import type { Device } from "@espalier/tensor"
import { Effect } from "effect"
import type { Pruned } from "./report.ts"
import { countSparsity } from "./report.ts"

/** Options of {@link fineTune}: those of `trainLanguageModel`. */
export type FineTuneOptions = Omit<TrainLanguageModelOptions, "keepZeros">

/** A pruned model after more training. */
export interface FineTuned extends Pruned {
  /** Mean cross-entropy of each step's batch, in nats a token. */
  readonly losses: ReadonlyArray<number>
}

/**
 * Trains a pruned model further on next-token prediction. The zeros of its linears stay zeros, bit for
 * bit; everything else is trained, embeddings and norms too. A resumed run gives the same bits.
 *
 * @example
 * ```ts
 * import { Effect, Result } from "effect"
 * import { Interpreter } from "@espalier/tensor"
 * import { initializeLlama, makeLlama, makeLlamaConfig } from "@espalier/models"
 * import { fineTune, magnitude, parseSparsity, prune } from "@espalier/pruning"
 *
 * const config = Result.getOrThrow(makeLlamaConfig({
 *   dimension: 8, hiddenDimension: 16, layers: 1, heads: 2, keyValueHeads: 1,
 *   vocabularySize: 4, contextLength: 8,
 * }))
 * const stream = Int32Array.from({ length: 100 }, (_, i) => i % 4)
 * const { sparsity } = await Effect.gen(function* () {
 *   const model = makeLlama(config, yield* initializeLlama(config, 0))
 *   const pruned = yield* prune(model, magnitude(), { sparsity: parseSparsity("2:4") })
 *   return yield* fineTune(pruned.model, { stream, window: 8, batch: 4, steps: 3 })
 * }).pipe(Effect.scoped, Effect.provide(Interpreter.layer), Effect.runPromise)
 * console.log(sparsity) // 0.5
 * ```
 */
export const fineTune = (
  model: CausalLM,
  options: FineTuneOptions,
): Effect.Effect<FineTuned, TrainError | TextTooShort | InvalidLowRank, Device> =>
  Effect.map(trainLanguageModel(model, { ...options, keepZeros: true }), ({ model, losses }) => ({
    ...countSparsity(model),
    losses,
  }))
