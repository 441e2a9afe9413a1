import { valueAndGrad } from "../gradient.ts"
import type { ExampleInput } from "../ops/operation.ts"
import * as Random from "../random.ts"
import type { Tensor } from "../tensor.ts"
import * as T from "../tensor_functions.ts"

/** A program in which several operations meet: what the scheduler fuses, and what models are made of. */
export interface Composite {
  readonly name: string
  readonly inputs: ReadonlyArray<ExampleInput>
  readonly build: (inputs: ReadonlyArray<Tensor>) => ReadonlyArray<Tensor>
  readonly tolerance: number
}

const f32 = (...shape: ReadonlyArray<number>): ExampleInput => ({
  shape,
  dtype: "f32",
  domain: [-1, 1],
})
const i32 = (limit: number, ...shape: ReadonlyArray<number>): ExampleInput => ({
  shape,
  dtype: "i32",
  domain: [0, limit - 1],
})

const rmsNorm = (x: Tensor, weight: Tensor): Tensor => {
  const scale = T.rsqrt(T.add(T.mean(T.square(x), [-1], { keepDims: true }), 1e-5))
  return T.mul(T.mul(x, scale), weight)
}

const rotate = (x: Tensor, cosine: Tensor, sine: Tensor): Tensor => {
  const pairs = T.reshape(x, [...x.shape.slice(0, -1), x.shape.at(-1)! / 2, 2])
  const swapped = T.reshape(T.flip(pairs, [pairs.shape.length - 1]), x.shape)
  return T.add(T.mul(x, cosine), T.mul(swapped, sine))
}

const attention = (query: Tensor, key: Tensor, value: Tensor): Tensor => {
  const [length, depth] = [query.shape[2], query.shape[3]]
  const scores = T.mul(T.matmul(query, T.transpose(key)), 1 / Math.sqrt(depth))
  const causal = T.lessEqual(T.iota([length, length], 1), T.iota([length, length], 0))
  return T.matmul(T.softmax(T.where(causal, scores, -1e30)), value)
}

const crossEntropy = (logits: Tensor, targets: Tensor): Tensor =>
  T.mean(T.neg(T.sum(T.mul(T.logSoftmax(logits), T.oneHot(targets, logits.shape.at(-1)!)), [-1])))

const differentiate =
  (f: (inputs: ReadonlyArray<Tensor>) => Tensor) => (inputs: ReadonlyArray<Tensor>) => {
    const { value, grads } = valueAndGrad(f)(inputs)
    return [value, ...grads]
  }

export const composites: ReadonlyArray<Composite> = [
  {
    name: "elementwise chain of eight",
    inputs: [f32(7, 33), f32(33)],
    build: ([x, y]) => [T.silu(T.add(T.mul(T.exp(T.neg(T.square(x))), y), 0.5))],
    tolerance: 2e-6,
  },
  { name: "softmax", inputs: [f32(5, 65)], build: ([x]) => [T.softmax(x)], tolerance: 2e-6 },
  {
    name: "softmax over a leading axis",
    inputs: [f32(65, 5)],
    build: ([x]) => [T.softmax(x, 0)],
    tolerance: 2e-6,
  },
  {
    name: "RMS norm into a product",
    inputs: [f32(9, 32), f32(32), f32(20, 32)],
    build: ([x, w, p]) => [T.gelu(T.matmul(rmsNorm(x, w), T.transpose(p)))],
    tolerance: 5e-6,
  },
  {
    name: "product with bias, activation and residual",
    inputs: [f32(6, 10), f32(10, 12), f32(12), f32(6, 12)],
    build: ([x, w, b, r]) => [T.add(T.relu(T.add(T.matmul(x, w), b)), r)],
    tolerance: 3e-6,
  },
  {
    name: "rotary embedding",
    inputs: [f32(2, 3, 7, 8), f32(7, 8), f32(7, 8)],
    build: ([x, c, s]) => [rotate(x, c, s)],
    tolerance: 1e-6,
  },
  {
    name: "causal attention",
    inputs: [f32(2, 3, 9, 8), f32(2, 3, 9, 8), f32(2, 3, 9, 8)],
    build: ([q, k, v]) => [attention(q, k, v)],
    tolerance: 5e-6,
  },
  {
    name: "grouped queries",
    inputs: [f32(2, 5, 4 * 6), f32(2, 5, 2 * 6)],
    build: ([q, k]) => {
      const queries = T.permute(T.reshape(q, [2, 5, 4, 6]), [0, 2, 1, 3])
      const keys = T.permute(T.reshape(k, [2, 5, 2, 6]), [0, 2, 1, 3])
      const spread = T.broadcastTo(T.expandDims(keys, 2), [2, 2, 2, 5, 6])
      const scores = T.matmul(queries, T.transpose(T.reshape(spread, [2, 4, 5, 6])))
      return [T.reshape(T.permute(scores, [0, 2, 1, 3]), [2, 5, 20])]
    },
    tolerance: 3e-6,
  },
  {
    name: "cross-entropy and its gradient",
    inputs: [f32(6, 17), i32(17, 6)],
    build: ([x, t]) => differentiate(([logits]) => crossEntropy(logits, t))([x]),
    tolerance: 5e-6,
  },
  {
    name: "embedding and its gradient",
    inputs: [f32(11, 6), i32(11, 4, 5)],
    build: ([e, t]) => differentiate(([table]) => T.sum(T.square(T.take(table, t))))([e]),
    tolerance: 3e-6,
  },
  {
    name: "attention and its gradient",
    inputs: [f32(1, 2, 7, 4), f32(1, 2, 7, 4), f32(1, 2, 7, 4)],
    build: differentiate(([q, k, v]) => T.sum(T.square(attention(q, k, v)))),
    tolerance: 2e-5,
  },
  {
    name: "norm and its gradient",
    inputs: [f32(5, 24), f32(24)],
    build: differentiate(([x, w]) => T.sum(T.tanh(rmsNorm(x, w)))),
    tolerance: 2e-5,
  },
  {
    name: "the same value twice, and an input passed through",
    inputs: [f32(3, 5)],
    build: ([x]) => [T.mul(x, 2), T.mul(x, 2), x, T.transpose(x)],
    tolerance: 1e-6,
  },
  {
    name: "smallest of each row by bits, ties in order",
    inputs: [f32(6, 9), i32(3, 6, 9)],
    build: ([x, ties]) => {
      const keys = T.bitcast(T.add(T.abs(x), T.cast(ties, "f32")), "u32")
      const third = T.max(T.slice(keys, [0, 0], [6, 3]), [1], { keepDims: true })
      const below = T.less(keys, third)
      const equal = T.equal(keys, third)
      const order = T.cumsum(T.cast(equal, "i32"))
      return [T.or(below, T.and(equal, T.lessEqual(order, 1)))]
    },
    tolerance: 0,
  },
  {
    name: "row update at a position",
    inputs: [f32(8, 3), i32(8, 1), f32(1, 3)],
    build: ([cache, at, row]) => {
      const next = T.updateRows(cache, at, row)
      return [next, T.sum(next, [0])]
    },
    tolerance: 1e-6,
  },
  {
    name: "folds of odd lengths",
    inputs: [f32(1), f32(3, 127), f32(127, 3), f32(2, 31, 33)],
    build: ([a, b, c, d]) => [
      T.sum(a),
      T.mean(b, [1]),
      T.max(c, [0]),
      T.argmax(d, [2]),
      T.sum(d, [0, 2]),
      T.logSumExp(b),
    ],
    tolerance: 3e-6,
  },
  {
    name: "shifts by sums, one count for each lane",
    inputs: [i32(4, 9, 5)],
    build: ([x]) => {
      const sums = T.cast(T.sum(x, [0]), "u32")
      return [T.shl(sums, sums), T.shr(sums, T.rem(sums, 5))]
    },
    tolerance: 0,
  },
  {
    name: "random bits",
    inputs: [{ shape: [2], dtype: "u32", domain: [0, 4294967295] }],
    build: ([key]) => [Random.bits(key, [65]), Random.bits(Random.fold(1, "label"), [2, 33])],
    tolerance: 0,
  },
  {
    name: "random numbers",
    inputs: [],
    build: () => [Random.uniform(3, [129], -1, 2), Random.normal(4, [7, 19])],
    tolerance: 3e-6,
  },
  {
    name: "slices of padded tensors, inside and outside",
    inputs: [f32(3, 3)],
    build: ([x]) => {
      const padded = T.pad(x, [3, 1], [4, 0], 0.5)
      return [
        T.slice(padded, [0, 0], [3, 4]),
        T.add(T.slice(padded, [3, 0], [6, 4]), T.slice(padded, [6, 0], [9, 4])),
      ]
    },
    tolerance: 1e-6,
  },
  {
    name: "more terms and parts than one kernel binds",
    inputs: Array.from({ length: 20 }, () => f32(3, 5)),
    build: (xs) => [xs.reduce((a, b) => T.add(a, b)), T.concat(xs, 1), T.stack(xs, 0)],
    tolerance: 3e-6,
  },
]
