import { HostArray, Tensor } from "@espalier/tensor"

type T = Tensor.Tensor

/**
 * `y = x Wᵀ` for a weight of shape [out, in] and x of shape [..., in]. A weight in `f16` has x rounded to
 * `f16` too; products are summed in `f32`, which y is in.
 *
 * @example
 * ```ts
 * import { Program, Spec } from "@espalier/tensor"
 * import { Layers } from "@espalier/nn"
 *
 * Program.make("linear", { x: Spec.f32([2, 3]), w: Spec.f32([4, 3]) }, ({ x, w }) => Layers.linear(x, w))
 * ```
 */
export const linear = (x: T, weight: T): T => {
  if (weight.dtype !== "f16") return Tensor.matmul(x, Tensor.transpose(weight))
  const rounded = Tensor.cast(Tensor.cast(x, "f16"), "f32")
  return Tensor.matmul(rounded, Tensor.transpose(Tensor.cast(weight, "f32")))
}

/**
 * x / √(mean(x²) + ε) · gain over the last axis (Zhang & Sennrich 2019): x [..., width], gain
 * [width].
 */
export const rmsNorm = (x: T, gain: T, epsilon: number): T => {
  const meanSquare = Tensor.mean(Tensor.square(x), [-1], { keepDims: true })
  return Tensor.mul(Tensor.mul(x, Tensor.rsqrt(Tensor.add(meanSquare, epsilon))), gain)
}

/** silu(gate) ⊙ up, of equal shapes: the inner half of a SwiGLU network (Shazeer 2020). */
export const gatedActivation = (gate: T, up: T): T => Tensor.mul(Tensor.silu(gate), up)

/**
 * Cosines and signed sines of the rotary embedding (Su et al. 2021) in the interleaved layout: pair
 * (2i, 2i + 1) of a head turns by `position · theta^(−2i/width)`. Both have shape [length, width].
 *
 * @example
 * ```ts
 * import { Program, Spec, Tensor } from "@espalier/tensor"
 * import { Layers } from "@espalier/nn"
 *
 * const { cosine, sine } = Layers.rotaryTables(16, 8, 10000)
 * Program.make("rotate", { query: Spec.f32([2, 4, 16, 8]) }, ({ query }) =>
 *   Layers.rotate(query, Tensor.fromHost(cosine), Tensor.fromHost(sine)),
 * )
 * ```
 */
export const rotaryTables = (
  length: number,
  width: number,
  theta: number,
): { readonly cosine: HostArray.HostArray; readonly sine: HostArray.HostArray } => {
  const cosine = new Float64Array(length * width)
  const sine = new Float64Array(length * width)
  for (let position = 0; position < length; position++) {
    for (let i = 0; i < width; i++) {
      const angle = position * Math.pow(theta, -(2 * Math.floor(i / 2)) / width)
      cosine[position * width + i] = Math.cos(angle)
      sine[position * width + i] = (i % 2 === 0 ? -1 : 1) * Math.sin(angle)
    }
  }
  return {
    cosine: HostArray.make([length, width], cosine),
    sine: HostArray.make([length, width], sine),
  }
}

/** Turns x of shape [..., width] by tables that broadcast against it; see {@link rotaryTables}. */
export const rotate = (x: T, cosine: T, sine: T): T => {
  const pairs = Tensor.reshape(x, [...x.shape.slice(0, -1), x.shape.at(-1)! / 2, 2])
  const swapped = Tensor.reshape(Tensor.flip(pairs, [pairs.shape.length - 1]), x.shape)
  return Tensor.add(Tensor.mul(x, cosine), Tensor.mul(swapped, sine))
}

/** What masked attention scores become: large, finite, and exactly zero after the softmax. */
const masked = -1e30

/**
 * softmax(QKᵀ/√width + mask) V (Vaswani et al. 2017): query [..., queries, width], key and value
 * [..., keys, width]. `visible` is a `bool` tensor that broadcasts to [..., queries, keys]; each query
 * must see a key.
 *
 * @example
 * ```ts
 * import { Program, Spec } from "@espalier/tensor"
 * import { Layers } from "@espalier/nn"
 *
 * const heads = Spec.f32([2, 4, 16, 8])
 * Program.make("attention", { q: heads, k: heads, v: heads }, ({ q, k, v }) =>
 *   Layers.attention(q, k, v, Layers.causalMask(16)),
 * )
 * ```
 */
export const attention = (query: T, key: T, value: T, visible: T): T => {
  const scale = 1 / Math.sqrt(query.shape.at(-1)!)
  const scores = Tensor.mul(Tensor.matmul(query, Tensor.transpose(key)), scale)
  return Tensor.matmul(Tensor.softmax(Tensor.where(visible, scores, masked)), value)
}

/** True where the key is not after the query: shape [length, length]. */
export const causalMask = (length: number): T =>
  Tensor.lessEqual(Tensor.iota([length, length], 1), Tensor.iota([length, length], 0))

/**
 * −log softmax(logits)[target] of each row, in nats: logits [..., classes], targets `i32` [...].
 *
 * @example
 * ```ts
 * import { Program, Spec, Tensor } from "@espalier/tensor"
 * import { Layers } from "@espalier/nn"
 *
 * const inputs = { logits: Spec.f32([8, 10]), targets: Spec.i32([8]) }
 * Program.make("loss", inputs, ({ logits, targets }) =>
 *   Tensor.mean(Layers.crossEntropy(logits, targets)),
 * )
 * ```
 */
export const crossEntropy = (logits: T, targets: T): T => {
  const classes = logits.shape.at(-1)!
  const chosen = Tensor.equal(
    Tensor.expandDims(targets, targets.shape.length),
    Tensor.iota([...targets.shape, classes], targets.shape.length),
  )
  const picked = Tensor.sum(Tensor.where(chosen, logits, 0), [-1])
  return Tensor.sub(Tensor.reshape(Tensor.logSumExp(logits), targets.shape), picked)
}
