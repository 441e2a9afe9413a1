import { DTypeError, ShapeError } from "../errors.ts"
import type { Shape } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import { apply } from "../tensor.ts"
import { flip, permute } from "./movement.ts"
import { normalizeAxis } from "./movement_rules.ts"
import type { Example, Operation } from "./operation.ts"
import { defineOperation } from "./operation.ts"
import { plainCombine } from "./reduction.ts"

type None = Record<string, never>
const none: None = {}

const example = (shape: Shape, dtype: "f32" | "i32" | "u32"): Example<None> => ({
  inputs: [{ shape, dtype, domain: dtype === "f32" ? [-2, 2] : [0, 3] }],
  attributes: none,
})

export const cumsumRow: Operation<None> = defineOperation<None>({
  name: "cumsum",
  summary: "inclusive running sum along the last axis",
  arity: 1,
  infer: ([x]) => {
    if (x.shape.length === 0) {
      throw new ShapeError({ operation: "cumsum", shapes: [[]], problem: "a scalar has no axis" })
    }
    if (x.dtype === "bool") {
      throw new DTypeError({ operation: "cumsum", dtypes: ["bool"], problem: "needs numbers" })
    }
    return { shape: x.shape, dtype: x.dtype }
  },
  gradient: (g) => {
    const last = [g.shape.length - 1]
    return [flip(apply(cumsumRow, [flip(g, last)], none), last)]
  },
  lower: {
    kind: "scan",
    combine: ({ builder, inputs }) => plainCombine(builder, "add", inputs[0].dtype),
  },
  reference: ([x], _, { shape }) => {
    const length = shape.at(-1)!
    const values = Float64Array.from(x.data)
    for (let i = 0; i < values.length; i++) {
      if (i % length !== 0) values[i] += values[i - 1]
    }
    return values
  },
  examples: [
    example([1], "f32"),
    example([65], "f32"),
    example([3, 64], "f32"),
    example([5, 2, 7], "i32"),
    example([4, 63], "u32"),
  ],
  tolerance: 2e-6,
})

/** Inclusive running sum along `axis` (the last by default). */
export const cumsum = (x: Tensor, axis = -1): Tensor => {
  const rank = x.shape.length
  const at = rank === 0 ? -1 : normalizeAxis("cumsum", x.shape, axis)
  if (at === rank - 1) return apply(cumsumRow, [x], none)
  const axes = x.shape.map((_, i) => i)
  ;[axes[at], axes[rank - 1]] = [rank - 1, at]
  return permute(apply(cumsumRow, [permute(x, axes)], none), axes)
}
