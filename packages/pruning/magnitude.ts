import type { CausalLM } from "@espalier/models"
import { Progress } from "@espalier/runtime"
import type { CompileError, Device, HostArray } from "@espalier/tensor"
import { DeviceArray, Program, Spec } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect } from "effect"
import { applyMask, magnitudeMask } from "./masks.ts"
import { programsByShape } from "./programs_by_shape.ts"
import type { Pruned } from "./report.ts"
import { countSparsity, requireWidths } from "./report.ts"
import type { Sparsity, SparsityWidthMismatch } from "./sparsity.ts"

/**
 * Removes the smallest weights of every linear of every block; embeddings and head stay. Needs no
 * text. Unstructured sparsity compares over each whole matrix.
 *
 * Fails with `SparsityWidthMismatch` before anything runs.
 *
 * @example
 * ```ts
 * import { Effect, Result } from "effect"
 * import { Interpreter } from "@espalier/tensor"
 * import { initializeLlama, makeLlama, makeLlamaConfig } from "@espalier/models"
 * import { parseSparsity, pruneMagnitude } from "@espalier/pruning"
 *
 * const config = Result.getOrThrow(makeLlamaConfig({
 *   dimension: 8, hiddenDimension: 16, layers: 2, heads: 2, keyValueHeads: 1,
 *   vocabularySize: 16, contextLength: 8,
 * }))
 * const { sparsity, layers } = await Effect.gen(function* () {
 *   const model = makeLlama(config, yield* initializeLlama(config, 0))
 *   return yield* pruneMagnitude(model, parseSparsity("2:4"))
 * }).pipe(Effect.scoped, Effect.provide(Interpreter.layer), Effect.runPromise)
 * console.log(sparsity, layers[0].layer) // 0.5 blocks.0.query
 * ```
 */
export const pruneMagnitude = Effect.fn("pruneMagnitude")(function* (
  model: CausalLM,
  sparsity: Sparsity,
): Effect.fn.Return<
  Pruned,
  SparsityWidthMismatch | Program.RunError | CompileError,
  Device | Scope.Scope
> {
  yield* requireWidths(model, sparsity)
  const programFor = yield* programsByShape(model, (shape) =>
    Program.make("magnitude", { weight: Spec.f32(shape) }, ({ weight }) =>
      applyMask(weight, magnitudeMask(weight, sparsity)),
    ),
  )
  let { parameters } = model
  for (const block of model.blocks) {
    const own: Record<string, unknown> = { ...block.parameters(parameters) }
    for (const { name, shape } of block.linears) {
      const weight = own[name] as HostArray.HostArray
      const pruned = yield* programFor(shape)({ weight })
      own[name] = yield* DeviceArray.toHost(pruned)
      DeviceArray.release(pruned)
    }
    parameters = block.replace(parameters, own)
    const completed = block.index + 1
    const total = model.blocks.length
    yield* Progress.report({ task: "magnitude", completed, total, unit: "blocks" })
    yield* Effect.yieldNow
  }
  return countSparsity(model.withParameters(parameters))
}, Effect.scoped)
