import type { BlockStore, BlockVisit, WalkError } from "@espalier/calibration"
import { makeMemoryStore, readLayerInputs, squaredInputs, walkStore } from "@espalier/calibration"
import type { CausalLM, NamedLinear } from "@espalier/models"
import type { Device } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect, Schema } from "effect"
import type { Sparsity } from "./sparsity.ts"
import { printSparsity } from "./sparsity.ts"

/** N:M leaves no block more or less than another. */
export class NeedsUnstructured extends Schema.TaggedError<NeedsUnstructured>()(
  "NeedsUnstructured",
  { method: Schema.String, found: Schema.String, hint: Schema.String },
) {
  override get message(): string {
    return `${this.method} cannot work with ${this.found}. ${this.hint}`
  }
}

/** Options of {@link owlBudgets}. */
export interface OwlOptions {
  /** Of all linears together. Unstructured. */
  readonly sparsity: Sparsity
  /** Calibration: token windows of equal length, at least one. */
  readonly windows: ReadonlyArray<Int32Array>
  /** A weight is an outlier from this many times the mean of its block on; 5. */
  readonly threshold?: number
  /** How far a block's sparsity may be from that of all; 0.08. */
  readonly range?: number
  /** Windows that run at once; 8. */
  readonly batch?: number
}

/** What one block may keep. */
export interface BlockBudget {
  readonly block: number
  /** The share of outliers among its weights. */
  readonly outliers: number
  /** Its weights in linears. */
  readonly size: number
  /** The fraction that goes. */
  readonly sparsity: number
}

/** What {@link owlBudgets} gives. */
export interface OwlBudgets {
  readonly budgets: ReadonlyArray<BlockBudget>
  /** For the option of this name of `prune` and `pruneStore`. */
  readonly sparsityOf: (linear: NamedLinear) => Sparsity
}

/** A weight [outputs, inputs], row-major, and Σ x² of each input. */
interface Scored {
  readonly weight: ArrayLike<number>
  readonly squares: ArrayLike<number>
}

/**
 * The share of weights with |W_ij| · ‖x_j‖ above `threshold` times the mean over all linears of a
 * block (Yin et al. 2024, equation 1).
 *
 * @example
 * ```ts
 * import { outlierShare } from "@espalier/pruning"
 *
 * const linear = { weight: [1, 1, 1, 9], squares: [1, 1] }
 * console.log(outlierShare([linear], 2)) // 0.25: the mean is 3
 * ```
 */
export const outlierShare = (linears: ReadonlyArray<Scored>, threshold: number): number => {
  const each = (use: (score: number) => void) => {
    for (const { weight, squares } of linears) {
      const norms = Float64Array.from(squares, Math.sqrt)
      for (let i = 0; i < weight.length; i++) use(Math.abs(weight[i]) * norms[i % norms.length])
    }
  }
  const size = linears.reduce((sum, { weight }) => sum + weight.length, 0)
  let total = 0
  each((score) => (total += score))
  const limit = (threshold * total) / size
  let outliers = 0
  each((score) => (outliers += score > limit ? 1 : 0))
  return outliers / size
}

/**
 * The sparsity of each block: below that of all where there are more outliers than on average, above
 * it where there are fewer, and that of all in the mean over the weights. The block that is farthest
 * from the average is `range` away.
 */
export const owlSparsities = (
  blocks: ReadonlyArray<{ readonly outliers: number; readonly size: number }>,
  fraction: number,
  range: number,
): ReadonlyArray<number> => {
  const size = blocks.reduce((sum, block) => sum + block.size, 0)
  const mean = blocks.reduce((sum, block) => sum + (block.outliers * block.size) / size, 0)
  const deviations = blocks.map(({ outliers }) => outliers - mean)
  const farthest = Math.max(...deviations.map(Math.abs))
  const most = Math.min(range, fraction, 1 - fraction)
  // Blocks that differ by rounding alone do not differ.
  if (farthest <= 1e-12) return blocks.map(() => fraction)
  return deviations.map((deviation) => fraction - (most * deviation) / farthest)
}

/**
 * {@link owlBudgets} for a model in a {@link BlockStore}, from which it only reads the original
 * blocks.
 */
export const owlBudgetsOfStore = Effect.fn("owlBudgetsOfStore")(function* <E, R>(
  model: CausalLM,
  store: BlockStore<E, R>,
  options: OwlOptions,
): Effect.fn.Return<OwlBudgets, NeedsUnstructured | WalkError | E, Device | R | Scope.Scope> {
  const { sparsity, windows, threshold = 5, range = 0.08, batch } = options
  if (sparsity.kind === "structured") {
    const hint = "Choose a fraction such as 0.5, or leave out the budgets."
    const found = printSparsity(sparsity)
    return yield* new NeedsUnstructured({ method: "OWL", found, hint })
  }
  const found: Array<Omit<BlockBudget, "sparsity">> = []
  const dense = {
    ...store,
    done: 0,
    changed: (block: (typeof model.blocks)[number]) => store.original(block),
    keep: () => Effect.void,
  }
  const visit = Effect.fnUntraced(function* ({
    block,
    parameters,
    inputs,
    samples,
  }: BlockVisit<E, R>) {
    const scored: Array<Scored> = []
    for (const group of inputs) {
      const { squares } = yield* readLayerInputs(group, samples)
      const own = yield* parameters(group.linears.map(({ name }) => name))
      for (const { name } of group.linears) scored.push({ weight: own[name].data, squares })
    }
    const size = scored.reduce((sum, { weight }) => sum + weight.length, 0)
    found.push({ block: block.index, outliers: outlierShare(scored, threshold), size })
    return {}
  })
  yield* walkStore(model, dense, {
    task: "owl",
    windows,
    statistic: squaredInputs,
    visit,
    ...(batch === undefined ? {} : { batch }),
  })
  const sparsities = owlSparsities(found, sparsity.fraction, range)
  const budgets = found.map((block, i) => ({ ...block, sparsity: sparsities[i] }))
  const byPath = new Map(
    model.blocks.flatMap(({ linears }, i) =>
      linears.map(({ path }) => [path, sparsities[i]] as const),
    ),
  )
  return {
    budgets,
    sparsityOf: ({ path }) => ({
      kind: "unstructured",
      fraction: byPath.get(path) ?? sparsity.fraction,
    }),
  }
})

/**
 * How much of each block to prune: less where many weights stand out by |W| · ‖x‖ from the mean of
 * their block in the dense model. All linears of a block get its sparsity. Unstructured only.
 *
 * Source: Yin et al. 2024, "Outlier weighed layerwise sparsity (OWL)".
 *
 * @example
 * ```ts
 * import { Effect, Result } from "effect"
 * import { Interpreter } from "@espalier/tensor"
 * import { initializeLlama, makeLlama, makeLlamaConfig } from "@espalier/models"
 * import { owlBudgets, parseSparsity, prune, wanda } from "@espalier/pruning"
 *
 * const config = Result.getOrThrow(makeLlamaConfig({
 *   dimension: 8, hiddenDimension: 16, layers: 2, heads: 2, keyValueHeads: 1,
 *   vocabularySize: 16, contextLength: 8,
 * }))
 * await Effect.gen(function* () {
 *   const model = makeLlama(config, yield* initializeLlama(config, 0))
 *   const windows = [Int32Array.of(1, 5, 3, 9), Int32Array.of(2, 2, 7, 4)]
 *   const options = { sparsity: parseSparsity(0.5), windows }
 *   const { budgets, sparsityOf } = yield* owlBudgets(model, { ...options, threshold: 2 })
 *   console.log(budgets.map(({ sparsity }) => sparsity)) // between 0.42 and 0.58, 0.5 in the mean
 *   return yield* prune(model, wanda(), { ...options, sparsityOf })
 * }).pipe(Effect.scoped, Effect.provide(Interpreter.layer), Effect.runPromise)
 * ```
 */
export const owlBudgets = Effect.fn("owlBudgets")(function* (
  model: CausalLM,
  options: OwlOptions,
): Effect.fn.Return<OwlBudgets, NeedsUnstructured | WalkError, Device | Scope.Scope> {
  const { store } = yield* makeMemoryStore(model, "owl")
  return yield* owlBudgetsOfStore(model, store, options)
})
