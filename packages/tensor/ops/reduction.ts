import type { DType } from "../dtype.ts"
import { isFloat } from "../dtype.ts"
import { DTypeError, ShapeError } from "../errors.ts"
import type { HostArray } from "../host_array.ts"
import type { Expression } from "../ir/expression.ts"
import type { ExpressionBuilder } from "../ir/expression_builder.ts"
import type { Combine } from "../ir/kernel.ts"
import type { Shape } from "../shape.ts"
import { forEachIndex, positionOf, sizeOf } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import { apply } from "../tensor.ts"
import { broadcastTo, reshape } from "./movement.ts"
import type { Example, ExampleInput, Lowering, Operation } from "./operation.ts"
import { defineOperation } from "./operation.ts"
import { cast, div, equal, mul, where } from "./pointwise.ts"

type Axes = { readonly axes: ReadonlyArray<number> }

/** The lowest and highest numbers of a dtype: the identities of max and min. */
export const lowest = (dtype: DType): number =>
  dtype === "i32"
    ? -2147483648
    : dtype === "u32"
      ? 0
      : dtype === "f64"
        ? -Number.MAX_VALUE
        : -3.4028234663852886e38
export const highest = (dtype: DType): number =>
  dtype === "i32" ? 2147483647 : dtype === "u32" ? 4294967295 : -lowest(dtype)

/** `acc ∘ element` for one of the four plain folds. */
export const plainCombine = (
  builder: ExpressionBuilder,
  name: "add" | "multiply" | "maximum" | "minimum",
  dtype: DType,
): Combine => {
  const identities = { add: 0, multiply: 1, maximum: lowest(dtype), minimum: highest(dtype) }
  const accumulator = builder.argument(0, dtype)
  const element = builder.argument(1, dtype)
  return {
    name,
    dtypes: [dtype],
    identity: [identities[name]],
    result: [builder.binary(name, accumulator, element)],
  }
}

const keepDims = (shape: Shape, axes: ReadonlyArray<number>): Shape =>
  shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent))

/** Repeats a reduced tensor along the axes that were folded away. */
const spread = (x: Tensor, shape: Shape, axes: ReadonlyArray<number>): Tensor =>
  broadcastTo(reshape(x, keepDims(shape, axes)), shape)

const infer =
  (operation: string, dtypes: (dtype: DType) => boolean): Operation<Axes>["infer"] =>
  (inputs, { axes }) => {
    const { shape, dtype } = inputs[0]
    const sorted = axes.every(
      (axis, i) => axis >= 0 && axis < shape.length && (i === 0 || axis > axes[i - 1]),
    )
    if (!sorted) {
      const problem = `[${axes.join(", ")}] are no ascending axes of it`
      throw new ShapeError({ operation, shapes: [shape], problem })
    }
    if (!dtypes(dtype)) {
      throw new DTypeError({ operation, dtypes: [dtype], problem: "needs numbers" })
    }
    return { shape: shape.filter((_, axis) => !axes.includes(axis)), dtype }
  }

/** Folds `x` over `axes` in row-major order, for the references. */
const fold = <S>(
  x: HostArray,
  axes: ReadonlyArray<number>,
  output: Shape,
  start: () => S,
  step: (state: S, value: number, position: number) => S,
): ReadonlyArray<S> => {
  const states = Array.from({ length: sizeOf(output) }, start)
  const counts = new Int32Array(states.length)
  forEachIndex(x.shape, (index, position) => {
    const kept = index.filter((_, axis) => !axes.includes(axis))
    const place = positionOf(kept, output)
    states[place] = step(states[place], x.data[position], counts[place]++)
  })
  return states
}

const example = (
  shape: Shape,
  axes: ReadonlyArray<number>,
  dtype: DType = "f32",
  domain: ExampleInput["domain"] = dtype === "f32" ? [-2, 2] : [0, 3],
): Example<Axes> => ({ inputs: [{ shape, dtype, domain }], attributes: { axes } })

const shapes: ReadonlyArray<readonly [Shape, ReadonlyArray<number>]> = [
  [[7], [0]],
  [[1], [0]],
  [[3, 65], [1]],
  [[65, 3], [0]],
  [
    [2, 63, 5],
    [0, 2],
  ],
  [
    [2, 3, 4, 5],
    [1, 2],
  ],
  [[3, 5], []],
  [[5000], [0]],
]

const number = (dtype: DType): boolean => dtype !== "bool"

interface PlainOptions {
  readonly summary: string
  readonly combine: "add" | "multiply" | "maximum" | "minimum"
  readonly start: (dtype: DType) => number
  readonly step: (accumulator: number, value: number, dtype: DType) => number
  readonly gradient: Operation<Axes>["gradient"]
  readonly domain?: ExampleInput["domain"]
  readonly tolerance: number
}

const plain = (name: string, options: PlainOptions): Operation<Axes> =>
  defineOperation<Axes>({
    name,
    summary: options.summary,
    arity: 1,
    infer: infer(name, number),
    gradient: options.gradient,
    lower: {
      kind: "reduce",
      axes: ({ axes }) => axes,
      elements: (_, value) => [value],
      combine: ({ builder, inputs }) => plainCombine(builder, options.combine, inputs[0].dtype),
      result: (_, [accumulator]) => accumulator,
    },
    reference: ([x], { axes }, { shape }) =>
      fold(
        x,
        axes,
        shape,
        () => options.start(x.dtype),
        (accumulator, value) => options.step(accumulator, value, x.dtype),
      ),
    examples: [
      ...shapes
        .filter(([shape]) => options.domain === undefined || sizeOf(shape) < 1000)
        .map(([shape, axes]) => example(shape, axes, "f32", options.domain)),
      example([3, 9], [1], "i32"),
      example([9, 5], [0], "u32"),
    ],
    tolerance: options.tolerance,
  })

/** The gradient of max and min over axes: shared equally by the elements that attain it. */
const attained = (g: Tensor, node: Tensor, axes: ReadonlyArray<number>): Tensor => {
  const x = node.inputs[0]
  const chosen = equal(x, spread(node, x.shape, axes))
  const count = sum(cast(chosen, x.dtype), axes)
  const part = spread(div(g, count), x.shape, axes)
  return where(chosen, part, 0)
}

export const sumRow = plain("sum", {
  summary: "sum over axes",
  combine: "add",
  start: () => 0,
  step: (a, b) => a + b,
  gradient: (g, node, { axes }) => [spread(g, node.inputs[0].shape, axes)],
  tolerance: 2e-6,
})
export const prodRow = plain("prod", {
  summary: "product over axes",
  combine: "multiply",
  start: () => 1,
  // Products of integers wrap at every step: they outgrow what f64 holds exactly.
  step: (a, b, dtype) => (isFloat(dtype) ? a * b : Math.imul(a, b)),
  gradient: (g, node, { axes }) => {
    const x = node.inputs[0]
    return [div(spread(mul(g, node), x.shape, axes), x)]
  },
  domain: [0.8, 1.25],
  tolerance: 1e-5,
})
export const maxRow = plain("max", {
  summary: "largest element over axes",
  combine: "maximum",
  start: lowest,
  step: (a, b) => Math.max(a, b),
  gradient: (g, node, { axes }) => [attained(g, node, axes)],
  tolerance: 0,
})
export const minRow = plain("min", {
  summary: "smallest element over axes",
  combine: "minimum",
  start: highest,
  step: (a, b) => Math.min(a, b),
  gradient: (g, node, { axes }) => [attained(g, node, axes)],
  tolerance: 0,
})

/** (value, position) pairs; of equal values the first position wins. */
const extremeLowering = (largest: boolean): Lowering<Axes> => ({
  kind: "reduce",
  axes: ({ axes }) => axes,
  elements: (_, value, position) => [value, position],
  combine: ({ builder: b, inputs }) => {
    const dtype = inputs[0].dtype
    const [value, position] = [b.argument(0, dtype), b.argument(1, "i32")]
    const [newValue, newPosition] = [b.argument(2, dtype), b.argument(3, "i32")]
    const better = largest ? b.binary("less", value, newValue) : b.binary("less", newValue, value)
    const earlier = b.binary("less", newPosition, position)
    const tie = b.binary("and", b.binary("equal", value, newValue), earlier)
    const replace = b.binary("or", better, tie)
    const pick = (after: Expression, before: Expression) => b.select(replace, after, before)
    return {
      name: largest ? "argmax" : "argmin",
      dtypes: [dtype, "i32"],
      // Position 0 is right whenever nothing beats the identity, and inside the array in any case.
      identity: [largest ? lowest(dtype) : highest(dtype), 0],
      result: [pick(newValue, value), pick(newPosition, position)],
    }
  },
  result: (_, accumulators) => accumulators[1],
})

const extreme = (name: string, largest: boolean): Operation<Axes> => ({
  name,
  summary: `position of the ${largest ? "largest" : "smallest"} element over axes, the first of equals`,
  arity: 1,
  infer: (inputs, attributes) => ({
    shape: infer(name, number)(inputs, attributes).shape,
    dtype: "i32",
  }),
  gradient: null,
  lower: extremeLowering(largest),
  reference: ([x], { axes }, { shape }) =>
    fold(
      x,
      axes,
      shape,
      () => ({ value: largest ? -Infinity : Infinity, at: 0 }),
      (best, value, at) =>
        (largest ? value > best.value : value < best.value) ? { value, at } : best,
    ).map((best) => best.at),
  examples: [
    ...shapes.map(([shape, axes]) => example(shape, axes)),
    example([3, 65], [1], "i32"),
    example([65, 3], [0], "u32"),
  ],
  tolerance: 0,
})
export const argmaxRow = extreme("argmax", true)
export const argminRow = extreme("argmin", false)

/** Axes may be negative, in any order; none given means all. */
export const normalizeAxes = (
  x: Tensor,
  axes: ReadonlyArray<number> | undefined,
): Array<number> => {
  const rank = x.shape.length
  const wanted = axes ?? x.shape.map((_, axis) => axis)
  return wanted.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b)
}

/** How a reduction is asked for: `keepDims` leaves the folded axes with extent 1. */
export interface ReduceOptions {
  readonly keepDims?: boolean
}

const reduction =
  (row: Operation<Axes>) =>
  (x: Tensor, axes?: ReadonlyArray<number>, options: ReduceOptions = {}): Tensor => {
    const normalized = normalizeAxes(x, axes)
    const folded = apply(row, [x], { axes: normalized })
    return options.keepDims ? reshape(folded, keepDims(x.shape, normalized)) : folded
  }

/** Sum over `axes` (all by default). */
export const sum = reduction(sumRow)
/** Product over `axes` (all by default). The gradient needs non-zero elements. */
export const prod = reduction(prodRow)
/** Largest element over `axes` (all by default). */
export const max = reduction(maxRow)
/** Smallest element over `axes` (all by default). */
export const min = reduction(minRow)
/** Position of the largest element over `axes`, the first of equals, as `i32`. */
export const argmax = reduction(argmaxRow)
/** Position of the smallest element over `axes`, the first of equals, as `i32`. */
export const argmin = reduction(argminRow)
/** Mean over `axes` (all by default). */
export const mean = (x: Tensor, axes?: ReadonlyArray<number>, options?: ReduceOptions): Tensor => {
  if (!isFloat(x.dtype)) {
    throw new DTypeError({ operation: "mean", dtypes: [x.dtype], problem: "needs floats" })
  }
  const count = normalizeAxes(x, axes).reduce((product, axis) => product * x.shape[axis], 1)
  return mul(sum(x, axes, options), 1 / count)
}

export const reductionRows = [sumRow, prodRow, maxRow, minRow, argmaxRow, argminRow]
