import type { Block, CausalLM } from "@espalier/models"
import { windowLength } from "@espalier/models"
import { Progress } from "@espalier/runtime"
import type { CompileError, Device, Program } from "@espalier/tensor"
import { DeviceArray } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect } from "effect"
import type { Arrays, BlockPrograms, InputGroup } from "./block_programs.ts"
import { compileBlocks } from "./block_programs.ts"
import type { BlockParameters, BlockStore } from "./block_store.ts"
import { makeMemoryStore } from "./block_store.ts"
import type { NonFiniteValues, TokenOutOfRange } from "./errors.ts"
import { embedWindows } from "./embedding.ts"
import { checkParameters, checkTokens } from "./errors.ts"
import type { Accumulators, Statistic } from "./statistic.ts"

/** What the linears of one group were given. */
export interface BlockInputs {
  readonly linears: InputGroup
  /** Finished accumulators of the statistic. Freed after the visit; a visitor may free them before. */
  readonly statistics: Accumulators<DeviceArray.DeviceArray>
}

/** Hidden states of some windows before a block, and what the unchanged model has after it. */
export interface BlockBatch {
  /** [size, window, dimension], as the changed blocks before this one left them. */
  readonly hidden: DeviceArray.DeviceArray
  /** The same windows after this block in the model as it was at first. Only with `targets`. */
  readonly target: DeviceArray.DeviceArray | undefined
}

/** What a visitor sees of one block. */
export interface BlockVisit<E = never, R = never> {
  readonly block: Block
  /** Parameters of the block, all or those named: read when they are needed, checked for NaN. */
  readonly parameters: (
    names?: ReadonlyArray<string>,
  ) => Effect.Effect<BlockParameters, E | NonFiniteValues, R>
  /** Its linears, grouped by their inputs. */
  readonly inputs: ReadonlyArray<BlockInputs>
  readonly batches: ReadonlyArray<BlockBatch>
  /** Calibration windows that were run. */
  readonly samples: number
  /** Keeps parameters before the visit is over, so that memory need not hold them until then. */
  readonly keep: (changes: BlockParameters) => Effect.Effect<void, E, R>
}

/** Options of {@link walkBlocks} and {@link walkStore}. */
export interface WalkOptions<E, R, SE = never, SR = never> {
  /** What is being done, for progress and checkpoints: `wanda`. */
  readonly task: string
  /** Token windows of equal length, at least one. */
  readonly windows: ReadonlyArray<Int32Array>
  readonly statistic: Statistic
  /** Gives the parameters of a block that change, but for those that it kept itself. */
  readonly visit: (visit: BlockVisit<SE, SR>) => Effect.Effect<BlockParameters, E, R>
  /** Windows that run at once; 8. */
  readonly batch?: number
  /** Runs the unchanged model beside the changed one, for {@link BlockBatch.target}; false. */
  readonly targets?: boolean
}

/** Everything that can stop a walk besides its visitor and its store. */
export type WalkError = Program.RunError | CompileError | NonFiniteValues | TokenOutOfRange

/** Hidden states of one batch of windows, replaced block by block. */
interface Batch {
  readonly size: number
  hidden: DeviceArray.DeviceArray
  /** In the unchanged model. */
  dense: DeviceArray.DeviceArray | undefined
}

type Programs = ReadonlyMap<number, BlockPrograms>

/** Hidden states before the first block; with `targets`, once more for the unchanged model. */
const embedBatches = Effect.fnUntraced(function* <E, R>(
  model: CausalLM,
  store: BlockStore<E, R>,
  windows: ReadonlyArray<Int32Array>,
  size: number,
  targets: boolean,
) {
  const embed = embedWindows(model, store, windows, size)
  const hidden = yield* embed
  const dense = targets ? yield* embed : []
  return hidden.map((each, i): Batch => ({ size: each.shape[0], hidden: each, dense: dense[i] }))
})

/** Runs all batches through a block and adds up the statistics of its linears' inputs. */
const gather = Effect.fnUntraced(function* (
  block: Block,
  own: Arrays,
  batches: ReadonlyArray<Batch>,
  programs: Programs,
) {
  const first = programs.get(batches[0].size)!
  const { groups } = first.of(block)
  const widths = groups.map(([{ shape }]) => shape[1])
  const statistics = yield* Effect.forEach(widths, (inputs) => first.gatherer(inputs).zeros)
  const looks = statistics.some((sums) => Object.keys(sums).length > 0)
  for (const { size, hidden } of looks ? batches : []) {
    const { of, gatherer } = programs.get(size)!
    const seen = yield* of(block).observe({ own, hidden })
    for (const [i, input] of seen.entries()) {
      statistics[i] = yield* gatherer(widths[i]).add(statistics[i], input)
      DeviceArray.release(input)
    }
    yield* Effect.yieldNow
  }
  // Blocks of one signature share their programs, not the names of their linears.
  return groups.map((group, i): BlockInputs => ({
    linears: group.map(({ name }) => block.linears.find((linear) => linear.name === name)!),
    statistics: statistics[i],
  }))
})

/** Replaces the hidden states of all batches by the block's outputs. */
const advance = Effect.fnUntraced(function* (
  block: Block,
  own: Arrays,
  batches: ReadonlyArray<Batch>,
  programs: Programs,
  stream: "hidden" | "dense",
) {
  for (const batch of batches) {
    const { forward } = programs.get(batch.size)!.of(block)
    const hidden = batch[stream]
    if (hidden !== undefined) {
      batch[stream] = yield* forward({ own, hidden }, { donate: ["hidden"] })
    }
    yield* Effect.yieldNow
  }
})

/** Loads a block for as long as it is used, array by array: the host never holds all of it. */
const withLoaded = <E, R, A, E2, R2>(
  names: ReadonlyArray<string>,
  read: (names: ReadonlyArray<string>) => Effect.Effect<BlockParameters, E, R>,
  use: (own: Arrays) => Effect.Effect<A, E2, R2>,
) =>
  Effect.gen(function* () {
    const own: Record<string, DeviceArray.DeviceArray> = {}
    for (const name of names) {
      const { [name]: array } = yield* read([name])
      own[name] = yield* DeviceArray.fromHost(array)
    }
    const result = yield* use(own)
    DeviceArray.release(own)
    return result
  })

/**
 * Walks the blocks of a model whose parameters are in a {@link BlockStore}, as {@link walkBlocks}
 * does. Neither the host nor the device ever holds more than one block, what is gathered about it,
 * and the calibration activations. Of `model`, only the structure is used.
 */
export const walkStore = Effect.fn("walkStore")(function* <SE, SR, E, R>(
  model: CausalLM,
  store: BlockStore<SE, SR>,
  options: WalkOptions<E, R, SE, SR>,
): Effect.fn.Return<void, WalkError | E | SE, Device | R | SR | Scope.Scope> {
  const { task, windows, statistic, visit, targets = false } = options
  const window = windowLength(windows)
  const problem = checkTokens(windows, model.vocabularySize)
  if (problem !== undefined) return yield* problem
  const size = Math.min(options.batch ?? 8, windows.length)
  const batches = yield* embedBatches(model, store, windows, size, targets)
  const programs = new Map<number, BlockPrograms>()
  for (const { size } of batches) {
    if (programs.has(size)) continue
    programs.set(size, yield* compileBlocks(model, statistic, size, window))
  }
  const total = model.blocks.length
  for (const block of model.blocks) {
    const original = (names?: ReadonlyArray<string>) =>
      Effect.flatMap(store.original(block, names), (own) => checkParameters(own, block))
    const names = Object.keys(block.parameters(model.parameters))
    if (targets) {
      yield* withLoaded(names, original, (own) => advance(block, own, batches, programs, "dense"))
    }
    if (block.index >= store.done) {
      const changes = yield* Effect.scoped(
        Effect.gen(function* () {
          const inputs = yield* withLoaded(names, original, (own) =>
            gather(block, own, batches, programs),
          )
          const seen = batches.map(({ hidden, dense }) => ({ hidden, target: dense }))
          const samples = windows.length
          const keep = (changes: BlockParameters) => store.keep(block, changes)
          const parameters = original
          return yield* visit({ block, parameters, inputs, batches: seen, samples, keep })
        }),
      )
      yield* store.keep(block, changes)
      yield* store.finish(block)
    }
    if (block.index + 1 < total) {
      const changed = (given: ReadonlyArray<string>) => store.changed(block, given)
      yield* withLoaded(names, changed, (own) => advance(block, own, batches, programs, "hidden"))
    }
    yield* Progress.report({ task, completed: block.index + 1, total, unit: "blocks" })
  }
}, Effect.scoped)

/**
 * Walks a model block by block, as SparseGPT, Wanda and GPTQ do: all calibration windows run
 * through a block, `visit` changes the block by what its linears were given, and the *changed*
 * block's outputs go to the next one. The device holds the calibration activations and one block,
 * whatever the model's depth; of the embedding, the rows that the text needs.
 *
 * Goes on after the last finished block where a checkpoint store is provided. The checkpoint is
 * found by `task` and by the structure of the parameters: a store must belong to one job.
 *
 * Fails with `TokenOutOfRange` and `NonFiniteValues`. Throws a `RangeError` where there are no
 * windows or where their lengths differ.
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
 *     visit: ({ block, inputs }) =>
 *       Effect.gen(function* () {
 *         const [{ linears, statistics }] = inputs
 *         const names = linears.map(({ name }) => name) // query, key, value
 *         console.log(block.index, names, yield* DeviceArray.toArray(statistics.squares))
 *         return {} // nothing changes
 *       }),
 *   })
 * }).pipe(Effect.scoped, Effect.provide(Interpreter.layer), Effect.runPromise)
 * ```
 */
export const walkBlocks = Effect.fn("walkBlocks")(function* <E, R>(
  model: CausalLM,
  options: WalkOptions<E, R>,
): Effect.fn.Return<CausalLM, WalkError | E, Device | R | Scope.Scope> {
  const { store, result, finish } = yield* makeMemoryStore(model, options.task)
  yield* walkStore(model, store, options)
  yield* finish
  return result()
})
