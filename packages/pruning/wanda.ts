import type { WalkError } from "@espalier/calibration"
import { squaredInputs, walkBlocks } from "@espalier/calibration"
import type { CausalLM } from "@espalier/models"
import type { Device, HostArray } from "@espalier/tensor"
import { DeviceArray, Program, Scalar, Spec, Tensor } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect } from "effect"
import { applyMask, wandaMask } from "./masks.ts"
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
 * Fails with `SparsityWidthMismatch` before anything runs.
 */
export const pruneWanda = Effect.fn("pruneWanda")(function* (
  model: CausalLM,
  options: WandaOptions,
): Effect.fn.Return<Pruned, SparsityWidthMismatch | WalkError, Device | Scope.Scope> {
  const { sparsity, windows, batch } = options
  yield* requireWidths(model, sparsity)
  type Compiled = Effect.Success<ReturnType<typeof compile>>
  const compile = (shape: readonly [number, number]) =>
    Program.compile(makeProgram(shape, sparsity))
  const programs = new Map<string, Compiled>()
  for (const { shape } of model.blocks.flatMap((block) => block.linears)) {
    const key = shape.join("x")
    if (!programs.has(key)) programs.set(key, yield* compile(shape))
  }
  const pruned = yield* walkBlocks(model, {
    task: "wanda",
    windows,
    statistic: squaredInputs,
    ...(batch === undefined ? {} : { batch }),
    visit: Effect.fnUntraced(function* ({ block, parameters, statistics, samples }) {
      const own: Record<string, HostArray.HostArray> = { ...parameters }
      for (const { name, shape } of block.linears) {
        const run = programs.get(shape.join("x"))!
        const weight = yield* run({ weight: own[name], squares: statistics[name], samples })
        own[name] = yield* DeviceArray.toHost(weight)
      }
      return own
    }, Effect.scoped),
  })
  return countSparsity(pruned)
}, Effect.scoped)
