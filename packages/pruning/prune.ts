import type {
  BlockInputs,
  BlockParameters,
  BlockStore,
  BlockVisit,
  Programs,
  WalkError,
} from "@espalier/calibration"
import {
  checkParameters,
  hessianOfInputs,
  layerError,
  makeMemoryStore,
  makePrograms,
  nothing,
  walkStore,
} from "@espalier/calibration"
import type { CausalLM, NamedLinear } from "@espalier/models"
import { Progress } from "@espalier/runtime"
import type { Device, HostArray } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect, Schema } from "effect"
import { readLayerInputs } from "./layer_inputs.ts"
import type { LayerInputs, PruneError, Pruner } from "./pruner.ts"
import type { LayerReport, Pruned } from "./report.ts"
import { countZeros, requireWidths, summarize } from "./report.ts"
import type { Sparsity, SparsityWidthMismatch } from "./sparsity.ts"

/** A method that looks at what layers are given was given no text. */
export class CalibrationMissing extends Schema.TaggedError<CalibrationMissing>()(
  "CalibrationMissing",
  { method: Schema.String, hint: Schema.String },
) {
  override get message(): string {
    return `${this.method} needs a text to calibrate on`
  }
}

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

type Own = Record<string, HostArray.HostArray>

/** What a visit of one block needs to know besides the block. */
interface Job {
  readonly pruner: Pruner
  readonly programs: Programs
  readonly sparsityOf: (linear: NamedLinear) => Sparsity
  readonly layerErrors: boolean
}

/** What becomes of the linears of one block. */
interface PrunedLinears {
  /** Those that were not kept at once. */
  readonly found: Own
  readonly reports: Array<LayerReport>
  /** By linear, where layer errors are measured. */
  readonly known: Map<string, LayerInputs>
}

/** Prunes one linear. A function of its own, so that nothing of it is held while the next one is pruned. */
const pruneLinear = Effect.fnUntraced(function* <E, R>(
  { pruner, programs, sparsityOf, layerErrors }: Job,
  { parameters, keep }: BlockVisit<E, R>,
  linear: NamedLinear,
  inputs: LayerInputs,
  { found, reports, known }: PrunedLinears,
) {
  const { name, path } = linear
  const { [name]: weight } = yield* parameters([name])
  const problem = { linear, weight, sparsity: sparsityOf(linear), inputs, programs }
  const pruned = yield* Effect.scoped(pruner.prune(problem))
  if (pruner.refine === undefined) yield* keep({ [name]: pruned })
  else found[name] = pruned
  if (layerErrors) known.set(name, inputs)
  const counted = countZeros(path, pruned)
  const error = layerErrors
    ? { error: yield* layerError(programs, pruned, weight, yield* inputs.onDevice) }
    : {}
  reports.push({ ...counted, deadInputs: inputs.dead.length, ...error })
})

/** Prunes the linears that share their inputs. */
const pruneGroup = Effect.fnUntraced(function* <E, R>(
  job: Job,
  visit: BlockVisit<E, R>,
  group: BlockInputs,
  into: PrunedLinears,
) {
  const once = job.pruner.factorOnly === true && !job.layerErrors
  const inputs = yield* readLayerInputs(group, visit.samples, once)
  for (const linear of group.linears) yield* pruneLinear(job, visit, linear, inputs, into)
})

/** Prunes the linears of one block, then lets the method look at it as a whole. */
const pruneBlock = Effect.fnUntraced(function* <E, R>(job: Job, visit: BlockVisit<E, R>) {
  const { pruner, programs, sparsityOf } = job
  const made: PrunedLinears = { found: {}, reports: [], known: new Map() }
  for (const group of visit.inputs) yield* pruneGroup(job, visit, group, made)
  const { found, reports, known } = made
  if (pruner.refine === undefined) return { found, reports }
  const { block, batches } = visit
  const dense = yield* visit.parameters()
  const problem = { block, dense, pruned: found, batches, sparsityOf, programs }
  const refined = { ...found, ...(yield* pruner.refine(problem)) }
  const again: Array<LayerReport> = []
  for (const { name, path } of block.linears) {
    const before = reports.find(({ layer }) => layer === path)
    const report = { ...before, ...countZeros(path, refined[name]) }
    const onDevice = known.get(name)?.onDevice
    again.push(
      onDevice === undefined
        ? report
        : {
            ...report,
            error: yield* layerError(programs, refined[name], dense[name], yield* onDevice),
          },
    )
  }
  return { found: refined, reports: again }
}, Effect.scoped)

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
  const programs = yield* makePrograms
  const reports: Array<LayerReport> = []
  for (const block of model.blocks.slice(0, store.done)) {
    const own = yield* store.changed(block)
    reports.push(...block.linears.map(({ name, path }) => countZeros(path, own[name])))
  }
  const layerErrors = options.layerErrors === true && windows.length > 0
  const job = { pruner, programs, sparsityOf, layerErrors }
  const visit = (seen: BlockVisit<E, R>) =>
    Effect.map(pruneBlock(job, seen), (made) => {
      reports.push(...made.reports)
      return made.found
    })
  const needsText = pruner.refine !== undefined || pruner.statistic !== nothing
  if (windows.length === 0 && needsText) {
    const hint = "Give token windows of ordinary text: `windows`."
    return yield* new CalibrationMissing({ method: pruner.name, hint })
  }
  if (windows.length > 0) {
    yield* walkStore(model, store, {
      task: pruner.name,
      windows,
      statistic: layerErrors ? hessianOfInputs : pruner.statistic,
      targets: pruner.refine !== undefined,
      visit,
      ...(batch === undefined ? {} : { batch }),
    })
    return reports
  }
  for (const block of model.blocks.slice(store.done)) {
    const inputs = block.linears.map((linear) => ({ linears: [linear], statistics: {} }))
    const parameters = (names?: ReadonlyArray<string>) =>
      Effect.flatMap(store.original(block, names), (own) => checkParameters(own, block))
    const keep = (changes: BlockParameters) => store.keep(block, changes)
    yield* keep(yield* visit({ block, parameters, inputs, batches: [], samples: 0, keep }))
    yield* store.finish(block)
    const total = model.blocks.length
    yield* Progress.report({ task: pruner.name, completed: block.index + 1, total, unit: "blocks" })
    yield* Effect.yieldNow
  }
  return reports
}, Effect.scoped)

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
  return summarize(result(), reports)
})
