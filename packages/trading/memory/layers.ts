/** Where a memory is kept. News come to `short`, quarterly reports to `mid`, annual ones to `long`. */
export type MemoryLayer = "short" | "mid" | "long" | "reflection"

/** How a layer forgets. */
export interface LayerRule {
  /** Q in days: recency is exp(−δ / Q), δ days after a memory came or was promoted. */
  readonly recency: number
  /** θ: importance is multiplied with it each day. */
  readonly importance: number
  /** What importance a memory begins with. */
  readonly begins: number
  /** A memory at least so important rises to the next layer. */
  readonly promoteAt?: number
  /** A memory less important than that falls to the layer before. */
  readonly demoteBelow?: number
}

/** The rules of all layers. */
export type LayerRules = Readonly<Record<MemoryLayer, LayerRule>>

/** The layers in the order they are shown. */
export const memoryLayers: ReadonlyArray<MemoryLayer> = ["short", "mid", "long", "reflection"]

/**
 * FinMem's layers as its code has them. Q of the short layer is 3 there and 14 in the paper: give
 * `shortRecency: 14` for that. What importance a memory begins with is drawn at random there and fixed
 * here; news with a label begin 20 higher.
 *
 * @example
 * ```ts
 * import { makeLayerRules } from "@espalier/trading"
 * console.log(makeLayerRules({ shortRecency: 14 }).short.recency) // 14
 * ```
 */
export const makeLayerRules = ({
  shortRecency = 3,
}: { readonly shortRecency?: number } = {}): LayerRules => ({
  short: { recency: shortRecency, importance: 0.92, begins: 50, promoteAt: 60 },
  mid: { recency: 90, importance: 0.967, begins: 70, promoteAt: 80, demoteBelow: 60 },
  long: { recency: 365, importance: 0.988, begins: 90, demoteBelow: 80 },
  reflection: { recency: 365, importance: 0.988, begins: 80 },
})

/** Where a memory goes from a layer. */
export const layerAbove: Readonly<Partial<Record<MemoryLayer, MemoryLayer>>> = {
  short: "mid",
  mid: "long",
}
export const layerBelow: Readonly<Partial<Record<MemoryLayer, MemoryLayer>>> = {
  mid: "short",
  long: "mid",
}
