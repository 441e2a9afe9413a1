import { Kernel, ShapeError, Tensor } from "@espalier/tensor"
import { cachedShader } from "./cached_wgsl.ts"
import { cachedCode } from "./cached_wasm.ts"
import type { CachedSizes } from "./shapes.ts"

type T = Tensor.Tensor

/** Heads of the queries of one key-value head as the rows of one small matrix. */
const reference = ([query, keys, values, position]: ReadonlyArray<T>): ReadonlyArray<T> => {
  const [heads, width] = query.shape
  const [context, wide] = keys.shape
  const keyValueHeads = wide / width
  const perHead = (x: T) =>
    Tensor.permute(Tensor.reshape(x, [context, keyValueHeads, width]), [1, 0, 2])
  const grouped = Tensor.reshape(query, [keyValueHeads, heads / keyValueHeads, width])
  const products = Tensor.matmul(grouped, Tensor.transpose(perHead(keys)))
  const visible = Tensor.lessEqual(Tensor.iota([context], 0), position)
  const scores = Tensor.where(visible, Tensor.mul(products, 1 / Math.sqrt(width)), -1e30)
  const attended = Tensor.matmul(Tensor.softmax(scores), perHead(values))
  return [Tensor.reshape(attended, [heads, width])]
}

const sizesOf = ({ inputs }: Kernel.KernelShapes<Record<string, never>>): CachedSizes => {
  const [heads, width] = inputs[0].shape
  const [context, wide] = inputs[1].shape
  const scale = 1 / Math.sqrt(width)
  return { context, heads, keyValueHeads: wide / width, width, scale }
}

const kernel = Kernel.define({
  name: "cached attention",
  reference,
  wasm: (_, shapes) => cachedCode(sizesOf(shapes)),
  wgsl: (target, shapes) => cachedShader(target, sizesOf(shapes)),
})

/**
 * Attention of one new token to itself and all before it: query [heads, width] of the token at
 * `position` (an `i32` scalar below `context`), keys and values [context, keyValueHeads · width] of which rows
 * 0 … position are filled. Only those are read. Gives [heads, width].
 *
 * Throws `ShapeError` where the shapes do not fit together.
 *
 * @example
 * ```ts
 * import { Program, Spec } from "@espalier/tensor"
 * import { cachedAttention } from "@espalier/nn"
 *
 * const inputs = { q: Spec.f32([4, 8]), k: Spec.f32([64, 16]), v: Spec.f32([64, 16]), at: Spec.i32([]) }
 * Program.make("decode", inputs, ({ q, k, v, at }) => cachedAttention(q, k, v, at))
 * ```
 */
export const cachedAttention = (query: T, keys: T, values: T, position: T): T => {
  const shapes = [query.shape, keys.shape, values.shape, position.shape]
  const refuse = (problem: string) =>
    new ShapeError({ operation: "cached attention", shapes, problem })
  if (query.shape.length !== 2 || keys.shape.length !== 2) {
    throw refuse("needs query [heads, width] and keys [context, keyValueHeads · width]")
  }
  if (keys.shape.some((extent, axis) => extent !== values.shape[axis])) {
    throw refuse("keys and values must have the same shape")
  }
  const [heads, width] = query.shape
  if (keys.shape[1] % width !== 0 || heads % (keys.shape[1] / width) !== 0) {
    throw refuse("heads must be a multiple of the key-value heads")
  }
  if (position.shape.length !== 0 || position.dtype !== "i32") {
    throw refuse("the position must be one i32")
  }
  return kernel([query, keys, values, position], {})[0]
}
