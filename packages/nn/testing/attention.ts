import { assert } from "@effect/vitest"
import { Grad, HostArray, Program, Spec, Tensor } from "@espalier/tensor"
import { Effect } from "effect"
import { fusedAttention } from "../attention/attention.ts"

type T = Tensor.Tensor

export interface Sizes {
  readonly batch: number
  readonly queries: number
  readonly keys: number
  readonly heads: number
  readonly shared: number
  readonly width: number
  readonly causal: boolean
}

export const sizes = (
  batch: number,
  queries: number,
  keys: number,
  heads: number,
  shared: number,
  width: number,
  causal: boolean,
): Sizes => ({ batch, queries, keys, heads, shared, width, causal })

/** Lengths around the blocks of 32 queries and 64 keys, grouped heads, one query, odd widths. */
export const cases = [
  sizes(1, 1, 1, 1, 1, 8, true),
  sizes(2, 5, 5, 2, 2, 8, true),
  sizes(2, 33, 33, 4, 2, 16, true),
  sizes(1, 32, 64, 2, 1, 8, true),
  sizes(1, 70, 130, 2, 2, 8, true),
  sizes(2, 40, 65, 3, 3, 16, false),
  sizes(1, 7, 9, 2, 1, 6, true),
  sizes(1, 129, 129, 1, 1, 24, true),
]

export const name = ({ batch, queries, keys, heads, shared, width, causal }: Sizes) =>
  `${batch}×${queries}×${heads}×${width} against ${keys}×${shared}${causal ? ", causal" : ""}`

/** Attention and its gradients against a fixed direction, written with whole matrices. */
const plain = (q: T, k: T, v: T, { queries, keys, heads, shared, width, causal }: Sizes): T => {
  const turn = (x: T) => Tensor.permute(x, [0, 2, 1, 3])
  const repeat = (x: T) => {
    const wide = Tensor.broadcastTo(Tensor.expandDims(turn(x), 2), [
      x.shape[0],
      shared,
      heads / shared,
      keys,
      width,
    ])
    return Tensor.reshape(wide, [x.shape[0], heads, keys, width])
  }
  const scores = Tensor.div(Tensor.matmul(turn(q), Tensor.transpose(repeat(k))), Math.sqrt(width))
  const visible = Tensor.lessEqual(
    Tensor.iota([queries, keys], 1),
    Tensor.add(Tensor.iota([queries, keys], 0), keys - queries),
  )
  const weights = Tensor.softmax(causal ? Tensor.where(visible, scores, -1e30) : scores)
  return turn(Tensor.matmul(weights, repeat(v)))
}

export const programs = (own: Sizes) => {
  const { batch, queries, keys, heads, shared, width, causal } = own
  const inputs = {
    q: Spec.f32([batch, queries, heads, width]),
    k: Spec.f32([batch, keys, shared, width]),
    v: Spec.f32([batch, keys, shared, width]),
    d: Spec.f32([batch, queries, heads, width]),
  }
  const make = (attend: (q: T, k: T, v: T) => T) =>
    Program.make("attend", inputs, ({ d, ...rest }) => {
      const output = attend(rest.q, rest.k, rest.v)
      const { grads } = Grad.valueAndGrad((x: typeof rest) =>
        Tensor.sum(Tensor.mul(attend(x.q, x.k, x.v), d)),
      )(rest)
      return { output, grads }
    })
  return {
    fused: make((q, k, v) => fusedAttention(q, k, v, { causal })),
    plain: make((q, k, v) => plain(q, k, v, own)),
    inputs,
  }
}

const values = (spec: Spec, seed: number): HostArray.HostArray => {
  const length = spec.shape.reduce((a, b) => a * b, 1)
  const data = Float32Array.from({ length }, (_, i) => Math.sin(seed + i * 1.37) * 1.5)
  return HostArray.make(spec.shape, data)
}

export const run = (
  program: ReturnType<typeof programs>["fused"],
  inputs: ReturnType<typeof programs>["inputs"],
) =>
  Effect.gen(function* () {
    const compiled = yield* Program.compile(program)
    const { output, grads } = yield* compiled({
      q: values(inputs.q, 1),
      k: values(inputs.k, 2),
      v: values(inputs.v, 3),
      d: values(inputs.d, 4),
    })
    const found = yield* Effect.forEach([output, grads.q, grads.k, grads.v], Tensor.toArray)
    return found.map((data) => Array.from(data as Iterable<number>))
  }).pipe(Effect.scoped)

export const agrees = (
  found: ReadonlyArray<ReadonlyArray<number>>,
  expected: typeof found,
  bound: number,
) => {
  for (const [i, name] of ["output", "query", "key", "value"].slice(0, found.length).entries()) {
    const scale = Math.max(...expected[i].map(Math.abs), 0.1)
    const error = Math.max(...expected[i].map((x, at) => Math.abs(x - found[i][at]))) / scale
    assert.isBelow(error, bound, `${name} is off by ${error}`)
  }
}
