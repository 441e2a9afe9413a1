import { Kernel, ShapeError } from "@espalier/tensor"
import type { Tensor } from "@espalier/tensor"
import { backwardReference, forwardReference, rowStatistics } from "./reference.ts"
import type { AttentionAttributes } from "./shapes.ts"
import { sizesOf } from "./shapes.ts"
import { backwardCode } from "./wasm_backward.ts"
import { forwardCode } from "./wasm_forward.ts"
import { backwardShader, forwardShader } from "./wgsl.ts"

type T = Tensor.Tensor

const backward = Kernel.define<AttentionAttributes>({
  name: "attention gradient",
  reference: backwardReference,
  wasm: (_, shapes) => backwardCode(sizesOf(shapes)),
  wgsl: (target, shapes) => backwardShader(target, sizesOf(shapes)),
})

const forward = Kernel.define<AttentionAttributes>({
  name: "attention",
  reference: forwardReference,
  wasm: (_, shapes) => forwardCode(sizesOf(shapes)),
  wgsl: (target, shapes) => forwardShader(target, sizesOf(shapes)),
  // The log-sum is there for the gradient; nothing flows back through it.
  vjp: ([flow], { inputs, outputs: [output, logSum], attributes }) => {
    if (flow === undefined) return []
    return backward([...inputs, flow, rowStatistics(output, logSum, flow)], attributes)
  },
})

/** How {@link fusedAttention} looks at keys. */
export interface AttentionOptions {
  /** The last query sees all keys, each one before it one less; otherwise all see all. */
  readonly causal: boolean
  /** What scores are multiplied by; 1/√width. */
  readonly scale?: number
}

/**
 * softmax(QKᵀ · scale) V without ever storing the scores (Dao et al. 2022; the online softmax of
 * Milakov & Gimelshein 2018), and its gradient likewise: memory grows with the length, not with its
 * square. query [batch, queries, heads, width], key and value [batch, keys, keyValueHeads, width]; each key-value
 * head serves `heads / keyValueHeads` neighbouring query heads (Ainslie et al. 2023). Gives
 * [batch, queries, heads, width].
 *
 * Throws `ShapeError` where the shapes do not fit together, or where a causal query would see no key.
 *
 * @example
 * ```ts
 * import { Program, Spec } from "@espalier/tensor"
 * import { fusedAttention } from "@espalier/nn"
 *
 * const inputs = { q: Spec.f32([2, 16, 4, 8]), k: Spec.f32([2, 16, 2, 8]), v: Spec.f32([2, 16, 2, 8]) }
 * Program.make("attention", inputs, ({ q, k, v }) => fusedAttention(q, k, v, { causal: true }))
 * ```
 */
export const fusedAttention = (query: T, key: T, value: T, options: AttentionOptions): T => {
  const shapes = [query.shape, key.shape, value.shape]
  const refuse = (problem: string) => new ShapeError({ operation: "attention", shapes, problem })
  if (shapes.some((shape) => shape.length !== 4)) {
    throw refuse("needs three of [batch, length, heads, width]")
  }
  if (key.shape.some((extent, axis) => extent !== value.shape[axis])) {
    throw refuse("key and value must have the same shape")
  }
  const [batch, queries, heads, width] = query.shape
  const [keyBatch, keys, keyValueHeads, keyWidth] = key.shape
  if (batch !== keyBatch || width !== keyWidth) throw refuse("batch and width must be the same")
  if (heads % keyValueHeads !== 0) throw refuse("heads must be a multiple of the key-value heads")
  if (options.causal && keys < queries) throw refuse("the first queries would see no key")
  const { causal, scale = 1 / Math.sqrt(width) } = options
  return forward([query, key, value], { causal, scale })[0]
}
