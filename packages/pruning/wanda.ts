import type { WalkError } from "@espalier/calibration"
import { squaredInputs, walkBlocks } from "@espalier/calibration"
import type { CausalLM } from "@espalier/models"
import type { Device, HostArray } from "@espalier/tensor"
import { DeviceArray, Program, Scalar, Spec, Tensor } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect } from "effect"
import { applyMask, wandaMask } from "./masks.ts"
import { programsByShape } from "./programs_by_shape.ts"
import type { Pruned } from "./report.ts"
import { countSparsity, requireWidths } from "./report.ts"
import type { Sparsity, SparsityWidthMismatch } from "./sparsity.ts"

/** Options of {@link pruneWanda}. */
export interface WandaOptions {
  readonly sparsity: Sparsity
  /** Calibration: token windows of equal length. */
  readonly windows: ReadonlyArray<Int32Array>
  /** Windows that run at once; 8. */
  readonly batch?: number
}

/** Prunes one weight by the squared inputs it was given. */
const makeProgram = ([outputs, inputs]: readonly [number, number], sparsity: Sparsity) =>
  Program.make(
    "wanda",
    { weight: Spec.f32([outputs, inputs]), squares: Spec.f32([inputs]), samples: Scalar },
    ({ weight, squares, samples }) =>
      applyMask(weight, wandaMask(weight, Tensor.div(squares, samples), sparsity)),
  )

/**
 * Wanda (Sun et al. 2024): removes the weights with the smallest |W| · ‖x‖ of each output row, or of
 * each group of M inputs, block by block; the pruned block's outputs calibrate the next. Weights are
 * not updated; embeddings and head stay.
 *
 * Fails with `SparsityWidthMismatch` before anything runs. Throws a `RangeError` where there are no
 * windows or where their lengths differ.
 *
 * @example
 * ```ts
 * import { Effect, Result } from "effect"
 * import { Interpreter } from "@espalier/tensor"
 * import { initializeLlama, makeLlama, makeLlamaConfig } from "@espalier/models"
 * import { parseSparsity, pruneWanda } from "@espalier/pruning"
 *
 * const config = Result.getOrThrow(makeLlamaConfig({
 *   dimension: 8, hiddenDimension: 16, layers: 2, heads: 2, keyValueHeads: 1,
 *   vocabularySize: 16, contextLength: 8,
 * }))
 * const { sparsity, layers } = await Effect.gen(function* () {
 *   const model = makeLlama(config, yield* initializeLlama(config, 0))
 *   const windows = [Int32Array.of(1, 5, 3, 9), Int32Array.of(2, 2, 7, 4)]
 *   return yield* pruneWanda(model, { sparsity: parseSparsity(0.5), windows })
 * }).pipe(Effect.scoped, Effect.provide(Interpreter.layer), Effect.runPromise)
 * console.log(sparsity, layers.length) // 0.5 14
 * ```
 */
export const pruneWanda = Effect.fn("pruneWanda")(function* (
  model: CausalLM,
  options: WandaOptions,
): Effect.fn.Return<Pruned, SparsityWidthMismatch | WalkError, Device | Scope.Scope> {
  const { sparsity, windows, batch } = options
  yield* requireWidths(model, sparsity)
  const programFor = yield* programsByShape(model, (shape) => makeProgram(shape, sparsity))
  const pruned = yield* walkBlocks(model, {
    task: "wanda",
    windows,
    statistic: squaredInputs,
    ...(batch === undefined ? {} : { batch }),
    visit: Effect.fnUntraced(function* ({ block, parameters, statistics, samples }) {
      const own: Record<string, HostArray.HostArray> = { ...parameters }
      for (const { name, shape } of block.linears) {
        const given = { weight: own[name], squares: statistics[name], samples }
        const weight = yield* programFor(shape)(given)
        own[name] = yield* DeviceArray.toHost(weight)
      }
      return own
    }, Effect.scoped),
  })
  return countSparsity(pruned)
}, Effect.scoped)
