import type { CausalLM } from "@espalier/models"
import { Progress } from "@espalier/runtime"
import type { CompileError, Device, HostArray } from "@espalier/tensor"
import { DeviceArray, Program, Spec } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect } from "effect"
import { applyMask, magnitudeMask } from "./masks.ts"
import type { Pruned } from "./report.ts"
import { countSparsity, requireWidths } from "./report.ts"
import type { Sparsity, SparsityWidthMismatch } from "./sparsity.ts"

/**
 * Removes the smallest weights of every linear of every block; embeddings and head stay. Needs no
 * text. Unstructured sparsity compares over each whole matrix.
 *
 * Fails with `SparsityWidthMismatch` before anything runs.
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
  const programs = new Map<
    string,
    Program.Compiled<{ readonly weight: Spec }, ReturnType<typeof applyMask>>
  >()
  const programFor = Effect.fnUntraced(function* (shape: ReadonlyArray<number>) {
    const key = shape.join("x")
    const known = programs.get(key)
    if (known !== undefined) return known
    const made = yield* Program.compile(
      Program.make("magnitude", { weight: Spec.f32(shape) }, ({ weight }) =>
        applyMask(weight, magnitudeMask(weight, sparsity)),
      ),
    )
    programs.set(key, made)
    return made
  })
  let { parameters } = model
  for (const block of model.blocks) {
    const own: Record<string, unknown> = { ...block.parameters(parameters) }
    for (const { name, shape } of block.linears) {
      const run = yield* programFor(shape)
      const weight = own[name] as HostArray.HostArray
      const pruned = yield* run({ weight })
      own[name] = yield* DeviceArray.toHost(pruned)
      DeviceArray.release(pruned)
    }
    parameters = block.replace(parameters, own)
    const completed = block.index + 1
    yield* Progress.report({
      task: "magnitude",
      completed,
      total: model.blocks.length,
      unit: "blocks",
    })
    yield* Effect.yieldNow
  }
  return countSparsity(model.withParameters(parameters))
}, Effect.scoped)
