import type { Shape } from "../shape.ts"
import { broadcastShapes, sameShape, sizeOf } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import { apply } from "../tensor.ts"
import { f32, gather, normalizeAxis, refuse } from "./movement_rules.ts"
import { defineOperation } from "./operation.ts"
import { sum } from "./reduction.ts"

type ShapeAttribute = { readonly shape: Shape }

export const reshapeRow = defineOperation<ShapeAttribute>({
  name: "reshape",
  summary: "the same elements in row-major order under another shape",
  arity: 1,
  infer: ([x], { shape }) => {
    if (sizeOf(x.shape) !== sizeOf(shape)) {
      refuse("reshape", [x.shape, shape], "the number of elements must stay the same")
    }
    return { shape, dtype: x.dtype }
  },
  gradient: (g, node) => [reshape(g, node.inputs[0].shape)],
  lower: {
    kind: "view",
    value: ({ builder, inputs, output }, index, at) =>
      at(0, builder.delinearize(builder.linearize(index, output.shape), inputs[0].shape)),
  },
  reference: ([x]) => x.data,
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
  const known = shape.reduce((product, extent) => (extent === -1 ? product : product * extent), 1)
  const rest = sizeOf(x.shape) / known
  const full = shape.map((extent) => (extent === -1 ? rest : extent))
  if (!Number.isInteger(rest) || sizeOf(full) !== sizeOf(x.shape)) {
    refuse("reshape", [x.shape, shape], "the number of elements must stay the same")
  }
  if (sameShape(full, x.shape)) return x
  return apply(reshapeRow, [x], { shape: full })
}

export const permuteRow = defineOperation<{ readonly axes: ReadonlyArray<number> }>({
  name: "permute",
  summary: "axes in another order",
  arity: 1,
  infer: ([x], { axes }) => {
    const sorted = [...axes].sort((a, b) => a - b)
    if (axes.length !== x.shape.length || sorted.some((axis, i) => axis !== i)) {
      refuse("permute", [x.shape], `[${axes.join(", ")}] is no order of its axes`)
    }
    return { shape: axes.map((axis) => x.shape[axis]), dtype: x.dtype }
  },
  gradient: (g, _, { axes }) => [
    permute(
      g,
      axes.map((_, axis) => axes.indexOf(axis)),
    ),
  ],
  lower: {
    kind: "view",
    value: ({ attributes: { axes } }, index, at) =>
      at(
        0,
        axes.map((_, axis) => index[axes.indexOf(axis)]),
      ),
  },
  reference: ([x], { axes }, { shape }) =>
    gather(x, shape, (index) => axes.map((_, axis) => index[axes.indexOf(axis)])),
  examples: [
    { inputs: [f32([3, 65])], attributes: { axes: [1, 0] } },
    { inputs: [f32([2, 3, 4, 5])], attributes: { axes: [0, 2, 1, 3] } },
    { inputs: [f32([2, 3, 4], "i32")], attributes: { axes: [2, 0, 1] } },
  ],
  tolerance: 0,
})
/** Axes in another order: output axis `i` is input axis `axes[i]`. */
export const permute = (x: Tensor, axes: ReadonlyArray<number>): Tensor => {
  const order = axes.map((axis) => normalizeAxis("permute", x.shape, axis))
  return order.length === x.shape.length && order.every((axis, i) => axis === i)
    ? x
    : apply(permuteRow, [x], { axes: order })
}
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
    const together = broadcastShapes(x.shape, shape)
    if (together === undefined || !sameShape(together, shape)) {
      refuse("broadcast", [x.shape, shape], "the first does not broadcast to the second")
    }
    return { shape, dtype: x.dtype }
  },
  gradient: (g, node) => {
    const from = node.inputs[0].shape
    const lead = g.shape.length - from.length
    const axes = g.shape
      .map((_, axis) => axis)
      .filter((axis) => axis < lead || (from[axis - lead] === 1 && g.shape[axis] !== 1))
    return [reshape(sum(g, axes), from)]
  },
  lower: {
    kind: "view",
    value: ({ builder, inputs, output }, index, at) => {
      const from = inputs[0].shape
      const lead = output.shape.length - from.length
      return at(
        0,
        from.map((extent, axis) =>
          extent === 1 ? builder.constant(0, "i32") : index[axis + lead],
        ),
      )
    },
  },
  reference: ([x], _, { shape }) => {
    const lead = shape.length - x.shape.length
    return gather(x, shape, (index) =>
      x.shape.map((extent, axis) => (extent === 1 ? 0 : index[axis + lead])),
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

export const flipRow = defineOperation<{ readonly axes: ReadonlyArray<number> }>({
  name: "flip",
  summary: "some axes in reverse",
  arity: 1,
  infer: ([x], { axes }) => {
    if (axes.some((axis) => axis < 0 || axis >= x.shape.length)) {
      refuse("flip", [x.shape], `has no axes [${axes.join(", ")}]`)
    }
    return { shape: x.shape, dtype: x.dtype }
  },
  gradient: (g, _, { axes }) => [flip(g, axes)],
  lower: {
    kind: "view",
    value: ({ builder, inputs, attributes: { axes } }, index, at) =>
      at(
        0,
        index.map((i, axis) =>
          axes.includes(axis)
            ? builder.subtract(builder.constant(inputs[0].shape[axis] - 1, "i32"), i)
            : i,
        ),
      ),
  },
  reference: ([x], { axes }, { shape }) =>
    gather(x, shape, (index) =>
      index.map((i, axis) => (axes.includes(axis) ? shape[axis] - 1 - i : i)),
    ),
  examples: [
    { inputs: [f32([65])], attributes: { axes: [0] } },
    { inputs: [f32([3, 4])], attributes: { axes: [1] } },
    { inputs: [f32([3, 2], "i32")], attributes: { axes: [0, 1] } },
  ],
  tolerance: 0,
})
/** Some axes in reverse; they may be counted from the end. */
export const flip = (x: Tensor, axes: ReadonlyArray<number>): Tensor =>
  axes.length === 0
    ? x
    : apply(flipRow, [x], { axes: axes.map((axis) => normalizeAxis("flip", x.shape, axis)) })

/** A new axis of extent 1 before axis `axis`; −1 appends one. */
export const expandDims = (x: Tensor, axis: number): Tensor => {
  const at = normalizeAxis("expandDims", x.shape, axis, x.shape.length + 1)
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)])
}
