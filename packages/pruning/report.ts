import type { LinearReport } from "@espalier/calibration"
import type { CausalLM, NamedLinear } from "@espalier/models"
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

/** What pruning did to one linear. */
export interface LayerReport extends LayerSparsity, LinearReport {}

/** A pruned model and how sparse it really is, as counted. */
export interface Pruned {
  readonly model: CausalLM
  /** Over all pruned weights. */
  readonly sparsity: number
  readonly layers: ReadonlyArray<LayerReport>
}

/** Counts the zeros of one weight. */
export const countZeros = (layer: string, { data }: HostArray.HostArray): LayerSparsity => {
  let zeros = 0
  for (const value of data) if (value === 0) zeros++
  return { layer, zeros, size: data.length, sparsity: zeros / data.length }
}

/** The share of zeros in all layers together. */
export const overallSparsity = (layers: ReadonlyArray<LayerSparsity>): number => {
  const zeros = layers.reduce((sum, layer) => sum + layer.zeros, 0)
  return zeros / layers.reduce((sum, layer) => sum + layer.size, 0)
}

/** Counts the zeros in every linear that pruning may touch. */
export const countSparsity = (model: CausalLM): Pruned => {
  const layers = model.blocks.flatMap((block) => {
    const own = block.parameters(model.parameters) as Record<string, HostArray.HostArray>
    return block.linears.map(({ name, path }) => countZeros(path, own[name]))
  })
  return { model, sparsity: overallSparsity(layers), layers }
}

/** Counts again, in the finished model, and keeps what else is known of each layer. */
export const summarize = (model: CausalLM, reports: ReadonlyArray<LayerReport>): Pruned => {
  const counted = countSparsity(model)
  const known = new Map(reports.map((report) => [report.layer, report]))
  const layers = counted.layers.map((layer) => ({ ...known.get(layer.layer), ...layer }))
  return { ...counted, layers }
}

/** Fails before anything runs where N:M does not divide the width of a linear. */
export const requireWidths = (
  model: CausalLM,
  sparsityOf: (linear: NamedLinear) => Sparsity,
): Effect.Effect<void, SparsityWidthMismatch> => {
  for (const block of model.blocks) {
    for (const linear of block.linears) {
      const problem = checkWidth(sparsityOf(linear), linear.path, linear.shape[1])
      if (problem !== undefined) return Effect.fail(problem)
    }
  }
  return Effect.void
}
