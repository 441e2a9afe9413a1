import type { Kernel } from "@espalier/tensor"

/** Plain numbers of one use of attention. */
export interface AttentionSizes {
  readonly batch: number
  /** Number of queries. */
  readonly queries: number
  /** Number of keys. */
  readonly keys: number
  readonly heads: number
  readonly keyValueHeads: number
  /** Elements of a head. */
  readonly width: number
  readonly causal: boolean
  /** What scores are multiplied by. */
  readonly scale: number
}

/** Attributes of the two kernels. */
export type AttentionAttributes = { readonly causal: boolean; readonly scale: number }

/** The sizes, from query [batch, queries, heads, width] and key [batch, keys, keyValueHeads, width]. */
export const sizesOf = ({
  inputs,
  attributes,
}: Kernel.KernelShapes<AttentionAttributes>): AttentionSizes => {
  const [batch, queries, heads, width] = inputs[0].shape
  const [, keys, keyValueHeads] = inputs[1].shape
  return { batch, queries, keys, heads, keyValueHeads, width, ...attributes }
}

/** Plain numbers of one use of attention to a cache. */
export interface CachedSizes {
  /** Rows of the cache. */
  readonly context: number
  readonly heads: number
  readonly keyValueHeads: number
  /** Elements of a head. */
  readonly width: number
  readonly scale: number
}
