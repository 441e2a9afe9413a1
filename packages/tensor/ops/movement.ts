import type { DType } from "../dtype.ts"
import { DTypeError, ShapeError } from "../errors.ts"
import type { HostArray } from "../host_array.ts"
import type { Shape } from "../shape.ts"
import { broadcastShapes, forEachIndex, positionOf, sameShape, sizeOf } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import { apply } from "../tensor.ts"
import type { ExampleInput } from "./operation.ts"
import { defineOperation } from "./operation.ts"
import { sum } from "./reduction.ts"

const refuse = (operation: string, shapes: ReadonlyArray<Shape>, problem: string): never => {
  throw new ShapeError({ operation, shapes, problem })
}

/** Reads `x` for every index of `shape` at the index that `from` names; outside gives `fill`. */
const gather = (
  x: HostArray,
  shape: Shape,
  from: (index: ReadonlyArray<number>) => ReadonlyArray<number> | undefined,
  fill = 0,
): Float64Array => {
  const values = new Float64Array(sizeOf(shape))
  forEachIndex(shape, (index, position) => {
    const source = from(index)
    values[position] = source === undefined ? fill : x.data[positionOf(source, x.shape)]!
  })
  return values
}

const f32 = (shape: Shape, dtype: DType = "f32"): ExampleInput => ({
  shape,
  dtype,
  domain: dtype === "f32" ? [-3, 3] : [0, 9],
})

type ShapeAttribute = { readonly shape: Shape }

export const reshapeRow = defineOperation<ShapeAttribute>({
  name: "reshape",
  summary: "the same elements in row-major order under another shape",
  arity: 1,
  infer: ([x], { shape }) => {
    if (sizeOf(x!.shape) !== sizeOf(shape)) {
      refuse("reshape", [x!.shape, shape], "the number of elements must stay the same")
    }
    return { shape, dtype: x!.dtype }
  },
  gradient: (g, node) => [reshape(g, node.inputs[0]!.shape)],
  lower: {
    kind: "view",
    value: ({ builder, inputs, output }, index, at) =>
      at(0, builder.delinearize(builder.linearize(index, output.shape), inputs[0]!.shape)),
  },
  reference: ([x]) => x!.data,
  examples: [
    { inputs: [f32([6])], attributes: { shape: [2, 3] } },
    { inputs: [f32([3, 4, 5])], attributes: { shape: [12, 5] } },
    { inputs: [f32([4, 6], "i32")], attributes: { shape: [8, 3] } },
    { inputs: [f32([1])], attributes: { shape: [] } },
  ],
  tolerance: 0,
})
/** The same elements under another shape; one extent may be −1. */
export const reshape = (x: Tensor, shape: Shape): Tensor => {
  const known = shape.reduce((product, extent) => (extent < 0 ? product : product * extent), 1)
  const full = shape.map((extent) => (extent < 0 ? sizeOf(x.shape) / known : extent))
  if (sameShape(full, x.shape)) return x
  return apply(reshapeRow, [x], { shape: full })
}

export const permuteRow = defineOperation<{ readonly axes: ReadonlyArray<number> }>({
  name: "permute",
  summary: "axes in another order",
  arity: 1,
  infer: ([x], { axes }) => {
    const sorted = [...axes].sort((a, b) => a - b)
    if (axes.length !== x!.shape.length || sorted.some((axis, i) => axis !== i)) {
      refuse("permute", [x!.shape], `[${axes.join(", ")}] is no order of its axes`)
    }
    return { shape: axes.map((axis) => x!.shape[axis]!), dtype: x!.dtype }
  },
  gradient: (g, _, { axes }) => [permute(g, axes.map((_, axis) => axes.indexOf(axis)))],
  lower: {
    kind: "view",
    value: ({ attributes: { axes } }, index, at) =>
      at(0, axes.map((_, axis) => index[axes.indexOf(axis)]!)),
  },
  reference: ([x], { axes }, { shape }) =>
    gather(x!, shape, (index) => axes.map((_, axis) => index[axes.indexOf(axis)]!)),
  examples: [
    { inputs: [f32([3, 65])], attributes: { axes: [1, 0] } },
    { inputs: [f32([2, 3, 4, 5])], attributes: { axes: [0, 2, 1, 3] } },
    { inputs: [f32([2, 3, 4], "i32")], attributes: { axes: [2, 0, 1] } },
  ],
  tolerance: 0,
})
/** Axes in another order: output axis `i` is input axis `axes[i]`. */
export const permute = (x: Tensor, axes: ReadonlyArray<number>): Tensor =>
  axes.length === x.shape.length && axes.every((axis, i) => axis === i)
    ? x
    : apply(permuteRow, [x], { axes })
/** The last two axes swapped. */
export const transpose = (x: Tensor): Tensor => {
  const rank = x.shape.length
  if (rank < 2) refuse("transpose", [x.shape], "needs at least two axes")
  const axes = x.shape.map((_, axis) => axis)
  return permute(x, [...axes.slice(0, -2), rank - 1, rank - 2])
}

export const broadcastRow = defineOperation<ShapeAttribute>({
  name: "broadcast",
  summary: "axes of extent 1, and missing leading axes, repeated",
  arity: 1,
  infer: ([x], { shape }) => {
    const together = broadcastShapes(x!.shape, shape)
    if (together === undefined || !sameShape(together, shape)) {
      refuse("broadcast", [x!.shape, shape], "the first does not broadcast to the second")
    }
    return { shape, dtype: x!.dtype }
  },
  gradient: (g, node) => {
    const from = node.inputs[0]!.shape
    const lead = g.shape.length - from.length
    const axes = g.shape
      .map((_, axis) => axis)
      .filter((axis) => axis < lead || (from[axis - lead] === 1 && g.shape[axis] !== 1))
    return [reshape(sum(g, axes), from)]
  },
  lower: {
    kind: "view",
    value: ({ builder, inputs, output }, index, at) => {
      const from = inputs[0]!.shape
      const lead = output.shape.length - from.length
      return at(
        0,
        from.map((extent, axis) => (extent === 1 ? builder.constant(0, "i32") : index[axis + lead]!)),
      )
    },
  },
  reference: ([x], _, { shape }) => {
    const lead = shape.length - x!.shape.length
    return gather(x!, shape, (index) =>
      x!.shape.map((extent, axis) => (extent === 1 ? 0 : index[axis + lead]!)),
    )
  },
  examples: [
    { inputs: [f32([])], attributes: { shape: [3, 5] } },
    { inputs: [f32([1, 5])], attributes: { shape: [4, 3, 5] } },
    { inputs: [f32([3, 1], "i32")], attributes: { shape: [3, 65] } },
  ],
  tolerance: 0,
})
/** Repeats axes of extent 1, and missing leading ones, to reach `shape`. */
export const broadcastTo = (x: Tensor, shape: Shape): Tensor =>
  sameShape(x.shape, shape) ? x : apply(broadcastRow, [x], { shape })

type SliceAttributes = {
  readonly starts: ReadonlyArray<number>
  readonly limits: ReadonlyArray<number>
  readonly steps: ReadonlyArray<number>
}
export const sliceRow = defineOperation<SliceAttributes>({
  name: "slice",
  summary: "every step-th element from start up to limit, for each axis",
  arity: 1,
  infer: ([x], { starts, limits, steps }) => {
    const rank = x!.shape.length
    if (starts.length !== rank || limits.length !== rank || steps.length !== rank) {
      refuse("slice", [x!.shape], `needs ${rank} starts, limits and steps`)
    }
    const shape = x!.shape.map((extent, axis) => {
      const [start, limit, step] = [starts[axis]!, limits[axis]!, steps[axis]!]
      if (start < 0 || limit > extent || start > limit || step < 1) {
        refuse("slice", [x!.shape], `${start} to ${limit} by ${step} is outside axis ${axis}`)
      }
      return Math.ceil((limit - start) / step)
    })
    return { shape, dtype: x!.dtype }
  },
  gradient: (g, node, { starts, limits, steps }) => {
    const from = node.inputs[0]!.shape
    if (steps.every((step) => step === 1)) {
      return [pad(g, starts, limits.map((limit, axis) => from[axis]! - limit))]
    }
    // A step of s is a reshape to [extent, 1], padding to [extent, s] and a reshape back.
    const spread = g.shape.flatMap((extent) => [extent, 1])
    const after = steps.flatMap((step) => [0, step - 1])
    const padded = pad(reshape(g, spread), after.map(() => 0), after)
    const whole = reshape(padded, g.shape.map((extent, axis) => extent * steps[axis]!))
    const kept = whole.shape.map((extent, axis) => Math.min(extent, from[axis]! - starts[axis]!))
    const cut = slice(whole, whole.shape.map(() => 0), kept)
    return [pad(cut, starts, kept.map((extent, axis) => from[axis]! - starts[axis]! - extent))]
  },
  lower: {
    kind: "view",
    value: ({ builder, attributes: { starts, steps } }, index, at) =>
      at(
        0,
        index.map((i, axis) => builder.add(builder.multiply(i, steps[axis]!), starts[axis]!)),
      ),
  },
  reference: ([x], { starts, steps }, { shape }) =>
    gather(x!, shape, (index) => index.map((i, axis) => starts[axis]! + i * steps[axis]!)),
  examples: [
    { inputs: [f32([9])], attributes: { starts: [2], limits: [7], steps: [1] } },
    { inputs: [f32([5, 9])], attributes: { starts: [1, 0], limits: [4, 9], steps: [1, 2] } },
    { inputs: [f32([4, 7], "i32")], attributes: { starts: [0, 3], limits: [4, 7], steps: [3, 1] } },
  ],
  tolerance: 0,
})
/** Elements from `starts` up to (not including) `limits`, every `steps`-th, for each axis. */
export const slice = (
  x: Tensor,
  starts: ReadonlyArray<number>,
  limits: ReadonlyArray<number>,
  steps: ReadonlyArray<number> = starts.map(() => 1),
): Tensor => {
  const whole = x.shape.every(
    (extent, axis) => starts[axis] === 0 && limits[axis] === extent && steps[axis] === 1,
  )
  return whole ? x : apply(sliceRow, [x], { starts, limits, steps })
}
/** Part of one axis, from `start` up to (not including) `limit`. */
export const sliceAxis = (x: Tensor, axis: number, start: number, limit: number): Tensor =>
  slice(
    x,
    x.shape.map((_, i) => (i === axis ? start : 0)),
    x.shape.map((extent, i) => (i === axis ? limit : extent)),
  )

type PadAttributes = {
  readonly before: ReadonlyArray<number>
  readonly after: ReadonlyArray<number>
  readonly value: number
}
export const padRow = defineOperation<PadAttributes>({
  name: "pad",
  summary: "elements of a fixed value added before and after, for each axis",
  arity: 1,
  infer: ([x], { before, after }) => {
    const rank = x!.shape.length
    if (before.length !== rank || after.length !== rank || [...before, ...after].some((n) => n < 0)) {
      refuse("pad", [x!.shape], `needs ${rank} non-negative counts before and after`)
    }
    return {
      shape: x!.shape.map((extent, axis) => before[axis]! + extent + after[axis]!),
      dtype: x!.dtype,
    }
  },
  gradient: (g, node, { before }) => [
    slice(g, before, node.inputs[0]!.shape.map((extent, axis) => before[axis]! + extent)),
  ],
  lower: {
    kind: "view",
    value: ({ builder: b, inputs, output, attributes }, index, at) => {
      let inside = b.constant(1, "bool")
      const source = index.map((i, axis) => {
        const extent = inputs[0]!.shape[axis]!
        const moved = b.subtract(i, b.constant(attributes.before[axis]!, "i32"))
        const low = b.binary("lessEqual", b.constant(0, "i32"), moved)
        const high = b.binary("less", moved, b.constant(extent, "i32"))
        for (const condition of [low, high]) {
          if (condition.kind === "constant" && condition.value === 1) continue
          inside =
            inside.kind === "constant" ? condition : b.binary("and", inside, condition)
        }
        const clamped = b.binary("maximum", moved, b.constant(0, "i32"))
        return b.binary("minimum", clamped, b.constant(extent - 1, "i32"))
      })
      return b.select(inside, at(0, source), b.constant(attributes.value, output.dtype))
    },
  },
  reference: ([x], { before, value }, { shape }) =>
    gather(
      x!,
      shape,
      (index) => {
        const source = index.map((i, axis) => i - before[axis]!)
        return source.every((i, axis) => i >= 0 && i < x!.shape[axis]!) ? source : undefined
      },
      value,
    ),
  examples: [
    { inputs: [f32([5])], attributes: { before: [2], after: [1], value: 0 } },
    { inputs: [f32([3, 4])], attributes: { before: [0, 1], after: [2, 0], value: 1.5 } },
    { inputs: [f32([2, 3], "i32")], attributes: { before: [1, 1], after: [1, 1], value: -1 } },
  ],
  tolerance: 0,
})
/** Adds elements of `value` before and after, for each axis. */
export const pad = (
  x: Tensor,
  before: ReadonlyArray<number>,
  after: ReadonlyArray<number>,
  value = 0,
): Tensor =>
  [...before, ...after].every((count) => count === 0)
    ? x
    : apply(padRow, [x], { before, after, value })

export const flipRow = defineOperation<{ readonly axes: ReadonlyArray<number> }>({
  name: "flip",
  summary: "some axes in reverse",
  arity: 1,
  infer: ([x], { axes }) => {
    if (axes.some((axis) => axis < 0 || axis >= x!.shape.length)) {
      refuse("flip", [x!.shape], `has no axes [${axes.join(", ")}]`)
    }
    return { shape: x!.shape, dtype: x!.dtype }
  },
  gradient: (g, _, { axes }) => [flip(g, axes)],
  lower: {
    kind: "view",
    value: ({ builder, inputs, attributes: { axes } }, index, at) =>
      at(
        0,
        index.map((i, axis) =>
          axes.includes(axis)
            ? builder.subtract(builder.constant(inputs[0]!.shape[axis]! - 1, "i32"), i)
            : i,
        ),
      ),
  },
  reference: ([x], { axes }, { shape }) =>
    gather(x!, shape, (index) =>
      index.map((i, axis) => (axes.includes(axis) ? shape[axis]! - 1 - i : i)),
    ),
  examples: [
    { inputs: [f32([65])], attributes: { axes: [0] } },
    { inputs: [f32([3, 4])], attributes: { axes: [1] } },
    { inputs: [f32([3, 2], "i32")], attributes: { axes: [0, 1] } },
  ],
  tolerance: 0,
})
/** Some axes in reverse. */
export const flip = (x: Tensor, axes: ReadonlyArray<number>): Tensor =>
  axes.length === 0 ? x : apply(flipRow, [x], { axes })

export const concatRow = defineOperation<{ readonly axis: number }>({
  name: "concat",
  summary: "tensors one after the other along an axis",
  arity: "variadic",
  infer: (inputs, { axis }) => {
    const first = inputs[0]!
    const shapes = inputs.map((x) => x.shape)
    for (const x of inputs) {
      const fits =
        x.shape.length === first.shape.length &&
        x.shape.every((extent, i) => i === axis || extent === first.shape[i])
      if (!fits) refuse("concat", shapes, `shapes may differ along axis ${axis} only`)
      if (x.dtype !== first.dtype) {
        const dtypes = inputs.map((y) => y.dtype)
        throw new DTypeError({ operation: "concat", dtypes, problem: "dtypes must be equal" })
      }
    }
    const extent = shapes.reduce((total, shape) => total + shape[axis]!, 0)
    return { shape: first.shape.map((e, i) => (i === axis ? extent : e)), dtype: first.dtype }
  },
  gradient: (g, node, { axis }) => {
    let start = 0
    return node.inputs.map((x) => {
      const part = sliceAxis(g, axis, start, start + x.shape[axis]!)
      start += x.shape[axis]!
      return part
    })
  },
  lower: {
    kind: "view",
    value: ({ builder: b, inputs, attributes: { axis } }, index, at) => {
      const starts: Array<number> = []
      let total = 0
      for (const x of inputs) {
        starts.push(total)
        total += x.shape[axis]!
      }
      const part = (input: number) => {
        const moved = b.subtract(index[axis]!, b.constant(starts[input]!, "i32"))
        const last = b.constant(inputs[input]!.shape[axis]! - 1, "i32")
        const clamped = b.binary("minimum", b.binary("maximum", moved, b.constant(0, "i32")), last)
        return at(input, index.map((i, place) => (place === axis ? clamped : i)))
      }
      let value = part(inputs.length - 1)
      for (let input = inputs.length - 2; input >= 0; input--) {
        const before = b.binary("less", index[axis]!, b.constant(starts[input + 1]!, "i32"))
        value = b.select(before, part(input), value)
      }
      return value
    },
  },
  reference: (inputs, { axis }, { shape }) => {
    const values = new Float64Array(sizeOf(shape))
    forEachIndex(shape, (index, position) => {
      let along = index[axis]!
      for (const x of inputs) {
        if (along < x.shape[axis]!) {
          const source = index.map((i, place) => (place === axis ? along : i))
          values[position] = x.data[positionOf(source, x.shape)]!
          return
        }
        along -= x.shape[axis]!
      }
    })
    return values
  },
  examples: [
    { inputs: [f32([3]), f32([4])], attributes: { axis: 0 } },
    { inputs: [f32([2, 3]), f32([2, 1]), f32([2, 4])], attributes: { axis: 1 } },
    { inputs: [f32([2, 3], "i32"), f32([5, 3], "i32")], attributes: { axis: 0 } },
  ],
  tolerance: 0,
})
/** Tensors one after the other along an existing axis. */
export const concat = (inputs: ReadonlyArray<Tensor>, axis: number): Tensor =>
  inputs.length === 1 ? inputs[0]! : apply(concatRow, inputs, { axis })
/** Tensors of one shape side by side along a new axis. */
export const stack = (inputs: ReadonlyArray<Tensor>, axis: number): Tensor =>
  concat(inputs.map((x) => expandDims(x, axis)), axis)
/** A new axis of extent 1. */
export const expandDims = (x: Tensor, axis: number): Tensor =>
  reshape(x, [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)])

export const movementRows = [
  reshapeRow, permuteRow, broadcastRow, sliceRow, padRow, flipRow, concatRow,
]
