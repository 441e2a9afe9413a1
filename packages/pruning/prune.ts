import type { BlockStore, CalibrationMissing, LinearMethod, WalkError } from "@espalier/calibration"
import { changeLinears, clearReports, makeMemoryStore } from "@espalier/calibration"
import type { CausalLM, NamedLinear } from "@espalier/models"
import type { Device } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect } from "effect"
import type { PruneError, Pruner } from "./pruner.ts"
import type { LayerReport, Pruned } from "./report.ts"
import { countZeros, requireWidths, summarize } from "./report.ts"
import type { Sparsity, SparsityWidthMismatch } from "./sparsity.ts"

/** Options of {@link prune} and {@link pruneStore}. */
export interface PruneOptions {
  readonly sparsity: Sparsity
  /** Calibration: token windows of equal length. Methods that look at weights alone need none. */
  readonly windows?: ReadonlyArray<Int32Array>
  /** Windows that run at once; 8. */
  readonly batch?: number
  /** Measures what each layer loses, for the report; false. Needs the Hessian of its inputs. */
  readonly layerErrors?: boolean
  /** Sparsity of single linears, instead of `sparsity`: `owlBudgets` makes them. */
  readonly sparsityOf?: (linear: NamedLinear) => Sparsity
}

/** A pruner as a method that knows how much to prune. */
const methodOf = (pruner: Pruner, sparsityOf: (linear: NamedLinear) => Sparsity): LinearMethod => {
  const { name, statistic, factorOnly, prune, refine } = pruner
  return {
    name,
    statistic,
    ...(factorOnly === undefined ? {} : { factorOnly }),
    change: (problem) => prune({ ...problem, sparsity: sparsityOf(problem.linear) }),
    ...(refine === undefined
      ? {}
      : { refine: ({ changed, ...rest }) => refine({ ...rest, pruned: changed, sparsityOf }) }),
  }
}

/**
 * Prunes every linear of every block of a model in a {@link BlockStore}: one block at a time, from and
 * to wherever the store keeps them.
 */
export const pruneStore = Effect.fn("pruneStore")(function* <E, R>(
  model: CausalLM,
  store: BlockStore<E, R>,
  pruner: Pruner,
  options: PruneOptions,
): Effect.fn.Return<
  ReadonlyArray<LayerReport>,
  SparsityWidthMismatch | CalibrationMissing | WalkError | PruneError | E,
  Device | R | Scope.Scope
> {
  const { sparsity, windows = [], batch } = options
  const sparsityOf = options.sparsityOf ?? (() => sparsity)
  yield* requireWidths(model, sparsityOf)
  return yield* changeLinears(model, store, methodOf(pruner, sparsityOf), {
    describe: ({ path }, weight) => countZeros(path, weight),
    windows,
    layerErrors: options.layerErrors === true,
    ...(batch === undefined ? {} : { batch }),
  })
})

/**
 * Prunes every linear of every block of a model in memory; embeddings and head stay. The pruned
 * block's outputs calibrate the next one.
 *
 * Goes on after the last finished block where a checkpoint store is provided. Fails with
 * `SparsityWidthMismatch` before anything runs. Throws a `RangeError` where windows differ in length.
 *
 * @example
 * ```ts
 * import { Effect, Result } from "effect"
 * import { Interpreter } from "@espalier/tensor"
 * import { initializeLlama, makeLlama, makeLlamaConfig } from "@espalier/models"
 * import { parseSparsity, prune, sparseGpt } from "@espalier/pruning"
 *
 * const config = Result.getOrThrow(makeLlamaConfig({
 *   dimension: 8, hiddenDimension: 16, layers: 2, heads: 2, keyValueHeads: 1,
 *   vocabularySize: 16, contextLength: 8,
 * }))
 * const { sparsity, layers } = await Effect.gen(function* () {
 *   const model = makeLlama(config, yield* initializeLlama(config, 0))
 *   const windows = [Int32Array.of(1, 5, 3, 9), Int32Array.of(2, 2, 7, 4)]
 *   return yield* prune(model, sparseGpt(), { sparsity: parseSparsity("2:4"), windows })
 * }).pipe(Effect.scoped, Effect.provide(Interpreter.layer), Effect.runPromise)
 * console.log(sparsity, layers.length) // 0.5 14
 * ```
 */
export const prune = Effect.fn("prune")(function* (
  model: CausalLM,
  pruner: Pruner,
  options: PruneOptions,
): Effect.fn.Return<
  Pruned,
  SparsityWidthMismatch | CalibrationMissing | WalkError | PruneError,
  Device | Scope.Scope
> {
  const { store, result, finish } = yield* makeMemoryStore(model, pruner.name)
  const reports = yield* pruneStore(model, store, pruner, options)
  yield* finish
  yield* clearReports(pruner.name)
  return summarize(result(), reports)
})
