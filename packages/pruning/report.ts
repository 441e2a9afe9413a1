import type { CausalLM } from "@espalier/models"
import type { HostArray } from "@espalier/tensor"
import { Effect } from "effect"
import type { Sparsity, SparsityWidthMismatch } from "./sparsity.ts"
import { checkWidth } from "./sparsity.ts"

/** Zeros counted in one pruned weight. */
export interface LayerSparsity {
  readonly layer: string
  readonly zeros: number
  readonly size: number
  readonly sparsity: number
}

/** A pruned model and how sparse it really is, as counted. */
export interface Pruned {
  readonly model: CausalLM
  /** Over all pruned weights. */
  readonly sparsity: number
  readonly layers: ReadonlyArray<LayerSparsity>
}

/** Counts the zeros in every linear that pruning may touch. */
export const countSparsity = (model: CausalLM): Pruned => {
  const layers = model.blocks.flatMap((block) => {
    const own = block.parameters(model.parameters) as Record<string, HostArray.HostArray>
    return block.linears.map(({ name, path }): LayerSparsity => {
      const { data } = own[name]
      let zeros = 0
      for (const value of data) if (value === 0) zeros++
      return { layer: path, zeros, size: data.length, sparsity: zeros / data.length }
    })
  })
  const zeros = layers.reduce((sum, layer) => sum + layer.zeros, 0)
  const size = layers.reduce((sum, layer) => sum + layer.size, 0)
  return { model, sparsity: zeros / size, layers }
}

/** Fails before anything runs where N:M does not divide the width of a linear. */
export const requireWidths = (
  model: CausalLM,
  sparsity: Sparsity,
): Effect.Effect<void, SparsityWidthMismatch> => {
  for (const block of model.blocks) {
    for (const { path, shape } of block.linears) {
      const problem = checkWidth(sparsity, path, shape[1])
      if (problem !== undefined) return Effect.fail(problem)
    }
  }
  return Effect.void
}
