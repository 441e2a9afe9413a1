import type { Block, CausalLM } from "@espalier/models"
import { stackWindows, windowLength } from "@espalier/models"
import { Checkpoint, Progress } from "@espalier/runtime"
import type { CompileError, Device, Program } from "@espalier/tensor"
import { DeviceArray, HostArray } from "@espalier/tensor"
import { Effect, Scope } from "effect"
import type { Arrays, BlockPrograms } from "./block_programs.ts"
import { compileBlocks, compileEmbedding, outsideBlocks, statisticSpecs } from "./block_programs.ts"
import type { Statistic } from "./statistic.ts"
import { loadWalk, saveWalk } from "./walk_checkpoint.ts"

/** The parameters of one block on the host. */
export type BlockParameters = Readonly<Record<string, HostArray.HostArray>>

/** What a visitor sees of one block: its parameters and what its linears were given. */
export interface BlockVisit {
  readonly block: Block
  readonly parameters: BlockParameters
  /** The finished accumulator of each linear, by name. Freed after the visit. */
  readonly statistics: Arrays
  /** Calibration windows that were run. */
  readonly samples: number
}

/** Options of {@link walkBlocks}. */
export interface WalkOptions<E, R> {
  /** What is being done, for progress and checkpoints: `wanda`. */
  readonly task: string
  /** Token windows of equal length, at least one. */
  readonly windows: ReadonlyArray<Int32Array>
  readonly statistic: Statistic
  /** Gives the new parameters of a block. */
  readonly visit: (visit: BlockVisit) => Effect.Effect<BlockParameters, E, R>
  /** Windows that run at once; 8. */
  readonly batch?: number
}

/** Everything that can stop a walk besides its visitor. */
export type WalkError = Program.RunError | CompileError

/** Hidden states of one batch of windows, replaced block by block. */
interface Batch {
  readonly size: number
  hidden: DeviceArray.DeviceArray
}

/** Embeds all windows. What only embedding needs is freed before the first block comes. */
const embedBatches = Effect.fnUntraced(function* (
  model: CausalLM,
  windows: ReadonlyArray<Int32Array>,
  size: number,
) {
  const hiddenScope = yield* Effect.scope
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const parameters = yield* DeviceArray.fromHostTree(outsideBlocks(model))
      const programs = new Map<number, Effect.Success<ReturnType<typeof compileEmbedding>>>()
      const batches: Array<Batch> = []
      for (let start = 0; start < windows.length; start += size) {
        const tokens = stackWindows(windows.slice(start, start + size))
        const [rows, window] = tokens.shape
        const run = programs.get(rows) ?? (yield* compileEmbedding(model, rows, window))
        programs.set(rows, run)
        const hidden = yield* run({ parameters, tokens }).pipe(Scope.provide(hiddenScope))
        batches.push({ size: rows, hidden })
      }
      return batches
    }),
  )
})

/** Runs all batches through a block and adds up the statistics of its linears' inputs. */
const gather = Effect.fnUntraced(function* (
  block: Block,
  own: Arrays,
  batches: ReadonlyArray<Batch>,
  statistic: Statistic,
  programs: ReadonlyMap<number, BlockPrograms>,
) {
  const zeros = Object.entries(statisticSpecs(block, statistic)).map(
    ([name, { shape, dtype }]) => [name, HostArray.zeros(shape, dtype)] as const,
  )
  let statistics: Arrays = yield* DeviceArray.fromHostTree(Object.fromEntries(zeros))
  for (const { size, hidden } of batches) {
    const { observe } = programs.get(size)!(block)
    statistics = yield* observe({ own, hidden, statistics }, { donate: ["statistics"] })
    yield* Effect.yieldNow
  }
  return statistics
})

/** Replaces the hidden states of all batches by the block's outputs. */
const advance = Effect.fnUntraced(function* (
  block: Block,
  own: Arrays,
  batches: ReadonlyArray<Batch>,
  programs: ReadonlyMap<number, BlockPrograms>,
) {
  for (const batch of batches) {
    const { forward } = programs.get(batch.size)!(block)
    batch.hidden = yield* forward({ own, hidden: batch.hidden }, { donate: ["hidden"] })
    yield* Effect.yieldNow
  }
})

/**
 * Walks a model block by block, as SparseGPT, Wanda and GPTQ do: all calibration windows run
 * through a block, `visit` changes the block by what its linears were given, and the *changed*
 * block's outputs go to the next one. The device holds the calibration activations and one block,
 * whatever the model's depth (the embedding, before the first block).
 *
 * Goes on after the last finished block where a checkpoint store is provided. The checkpoint is
 * found by `task` and by the structure of the parameters: a store must belong to one job.
 *
 * Throws a `RangeError` where there are no windows or where their lengths differ.
 *
 * @example
 * ```ts
 * import { Effect, Result } from "effect"
 * import { squaredInputs, walkBlocks } from "@espalier/calibration"
 * import { initializeLlama, makeLlama, makeLlamaConfig } from "@espalier/models"
 * import { DeviceArray, Interpreter } from "@espalier/tensor"
 *
 * const config = Result.getOrThrow(makeLlamaConfig({
 *   dimension: 8, hiddenDimension: 16, layers: 2, heads: 2, keyValueHeads: 1,
 *   vocabularySize: 16, contextLength: 8,
 * }))
 * await Effect.gen(function* () {
 *   const model = makeLlama(config, yield* initializeLlama(config, 0))
 *   return yield* walkBlocks(model, {
 *     task: "look",
 *     windows: [Int32Array.of(1, 5, 3, 9), Int32Array.of(2, 2, 7, 4)],
 *     statistic: squaredInputs,
 *     visit: ({ block, parameters, statistics }) =>
 *       Effect.gen(function* () {
 *         console.log(block.index, yield* DeviceArray.toArray(statistics.query)) // Σ x² of 8 inputs
 *         return parameters
 *       }),
 *   })
 * }).pipe(Effect.scoped, Effect.provide(Interpreter.layer), Effect.runPromise)
 * ```
 */
export const walkBlocks = Effect.fn("walkBlocks")(function* <E, R>(
  model: CausalLM,
  options: WalkOptions<E, R>,
): Effect.fn.Return<CausalLM, WalkError | E, Device | R | Scope.Scope> {
  const { task, windows, statistic, visit } = options
  const window = windowLength(windows)
  const batches = yield* embedBatches(model, windows, Math.min(options.batch ?? 8, windows.length))
  const programs = new Map<number, BlockPrograms>()
  for (const { size } of batches) {
    if (programs.has(size)) continue
    programs.set(size, yield* compileBlocks(model, statistic, size, window))
  }
  const resumed = yield* loadWalk(task, model.parameters)
  let { parameters } = resumed
  for (const block of model.blocks) {
    let own = block.parameters(parameters) as BlockParameters
    if (block.index >= resumed.done) {
      own = yield* Effect.scoped(
        Effect.gen(function* () {
          const loaded = yield* DeviceArray.fromHostTree(own)
          const statistics = yield* gather(block, loaded, batches, statistic, programs)
          return yield* visit({ block, parameters: own, statistics, samples: windows.length })
        }),
      )
      parameters = block.replace(parameters, own)
      yield* saveWalk(task, { done: block.index + 1, parameters })
    }
    if (block.index + 1 < model.blocks.length) {
      const loaded = yield* DeviceArray.fromHostTree(own)
      yield* advance(block, loaded, batches, programs)
      DeviceArray.release(loaded)
    }
    const completed = block.index + 1
    yield* Progress.report({ task, completed, total: model.blocks.length, unit: "blocks" })
  }
  yield* Checkpoint.clear(task)
  return model.withParameters(parameters)
}, Effect.scoped)
