import type { DType } from "../dtype.ts"
import { isFloat } from "../dtype.ts"
import { DTypeError } from "../errors.ts"
import * as Scalar from "../ir/evaluate_scalar.ts"
import type { Tensor } from "../tensor.ts"
import { apply } from "../tensor.ts"
import { defineOperation, pointwiseExamples } from "./operation.ts"
import type { None } from "./pointwise_rules.ts"
import { domains, none } from "./pointwise_rules.ts"

const convertExamples = (pairs: ReadonlyArray<readonly [DType, DType]>) =>
  pairs.flatMap(([from, to]) =>
    pointwiseExamples({ dtype: to }, [[{ dtype: from, domain: domains(from, [-9, 9]) }]]),
  )

export const castRow = defineOperation<{ readonly dtype: DType }>({
  name: "cast",
  summary: "the same value in another dtype; float to integer truncates and saturates",
  arity: 1,
  infer: ([x], { dtype }) => ({ shape: x.shape, dtype }),
  gradient: (g, node, { dtype }) =>
    isFloat(dtype) && isFloat(node.inputs[0].dtype) ? [cast(g, node.inputs[0].dtype)] : [undefined],
  lower: {
    kind: "pointwise",
    value: ({ builder, attributes }, [x]) => builder.cast(x, attributes.dtype),
  },
  reference: ([x], { dtype }) => Array.from(x.data, (value) => Scalar.cast(x.dtype, dtype, value)),
  examples: convertExamples([
    ["f32", "i32"],
    ["f32", "u32"],
    ["f32", "bool"],
    ["i32", "f32"],
    ["u32", "f32"],
    ["bool", "f32"],
    ["i32", "u32"],
    ["u32", "i32"],
    ["bool", "i32"],
    ["i32", "bool"],
  ]),
  tolerance: 0,
})
/** The same values in another dtype; float to integer truncates and saturates. */
export const cast = (x: Tensor, dtype: DType): Tensor =>
  x.dtype === dtype ? x : apply(castRow, [x], { dtype })

export const bitcastRow = defineOperation<{ readonly dtype: DType }>({
  name: "bitcast",
  summary: "the same 32 bits read as another dtype",
  arity: 1,
  infer: ([x], { dtype }) => {
    const allowed: ReadonlyArray<DType> = ["f32", "i32", "u32"]
    if (!allowed.includes(x.dtype) || !allowed.includes(dtype)) {
      const dtypes = [x.dtype, dtype]
      throw new DTypeError({ operation: "bitcast", dtypes, problem: "needs 32-bit numbers" })
    }
    return { shape: x.shape, dtype }
  },
  gradient: null,
  lower: {
    kind: "pointwise",
    value: ({ builder, attributes }, [x]) => builder.bitcast(x, attributes.dtype),
  },
  reference: ([x], { dtype }) =>
    Array.from(x.data, (value) => Scalar.bitcast(x.dtype, dtype, value)),
  examples: convertExamples([
    ["f32", "u32"],
    ["f32", "i32"],
    ["i32", "u32"],
    ["u32", "i32"],
  ]),
  tolerance: 0,
})
/** The same 32 bits read as another dtype. */
export const bitcast = (x: Tensor, dtype: DType): Tensor =>
  x.dtype === dtype ? x : apply(bitcastRow, [x], { dtype })

export const stopGradientRow = defineOperation<None>({
  name: "stopGradient",
  summary: "x, through which no gradient flows",
  arity: 1,
  infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
  gradient: () => [undefined],
  lower: { kind: "pointwise", value: (_, [x]) => x },
  reference: ([x]) => x.data,
  examples: pointwiseExamples(none, [[{ dtype: "f32", domain: [-3, 3] }]]),
  tolerance: 0,
})
/** x itself, through which no gradient flows back. */
export const stopGradient = (x: Tensor): Tensor => apply(stopGradientRow, [x], none)
