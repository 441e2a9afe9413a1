import type { Tensor } from "../tensor.ts"
import { apply } from "../tensor.ts"
import { f32, gather, normalizeAxis, refuse } from "./movement_rules.ts"
import { defineOperation } from "./operation.ts"
import { reshape } from "./views.ts"

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
    const rank = x.shape.length
    if (starts.length !== rank || limits.length !== rank || steps.length !== rank) {
      refuse("slice", [x.shape], `needs ${rank} starts, limits and steps`)
    }
    const shape = x.shape.map((extent, axis) => {
      const [start, limit, step] = [starts[axis], limits[axis], steps[axis]]
      if (start < 0 || limit > extent || start >= limit || step < 1) {
        refuse("slice", [x.shape], `${start} to ${limit} by ${step} is outside axis ${axis}`)
      }
      return Math.ceil((limit - start) / step)
    })
    return { shape, dtype: x.dtype }
  },
  gradient: (g, node, { starts, limits, steps }) => {
    const from = node.inputs[0].shape
    if (steps.every((step) => step === 1)) {
      return [
        pad(
          g,
          starts,
          limits.map((limit, axis) => from[axis] - limit),
        ),
      ]
    }
    // A step of s is a reshape to [extent, 1], padding to [extent, s] and a reshape back.
    const spread = g.shape.flatMap((extent) => [extent, 1])
    const after = steps.flatMap((step) => [0, step - 1])
    const padded = pad(
      reshape(g, spread),
      after.map(() => 0),
      after,
    )
    const whole = reshape(
      padded,
      g.shape.map((extent, axis) => extent * steps[axis]),
    )
    const kept = whole.shape.map((extent, axis) => Math.min(extent, from[axis] - starts[axis]))
    const cut = slice(
      whole,
      whole.shape.map(() => 0),
      kept,
    )
    return [
      pad(
        cut,
        starts,
        kept.map((extent, axis) => from[axis] - starts[axis] - extent),
      ),
    ]
  },
  lower: {
    kind: "view",
    value: ({ builder, attributes: { starts, steps } }, index, at) =>
      at(
        0,
        index.map((i, axis) => builder.add(builder.multiply(i, steps[axis]), starts[axis])),
      ),
  },
  reference: ([x], { starts, steps }, { shape }) =>
    gather(x, shape, (index) => index.map((i, axis) => starts[axis] + i * steps[axis])),
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
export const sliceAxis = (x: Tensor, axis: number, start: number, limit: number): Tensor => {
  const at = normalizeAxis("slice", x.shape, axis)
  return slice(
    x,
    x.shape.map((_, i) => (i === at ? start : 0)),
    x.shape.map((extent, i) => (i === at ? limit : extent)),
  )
}

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
    const rank = x.shape.length
    if (
      before.length !== rank ||
      after.length !== rank ||
      [...before, ...after].some((n) => n < 0)
    ) {
      refuse("pad", [x.shape], `needs ${rank} non-negative counts before and after`)
    }
    return {
      shape: x.shape.map((extent, axis) => before[axis] + extent + after[axis]),
      dtype: x.dtype,
    }
  },
  gradient: (g, node, { before }) => [
    slice(
      g,
      before,
      node.inputs[0].shape.map((extent, axis) => before[axis] + extent),
    ),
  ],
  lower: {
    kind: "view",
    value: ({ builder: b, inputs, output, attributes }, index, at) => {
      let inside = b.constant(1, "bool")
      const source = index.map((i, axis) => {
        const extent = inputs[0].shape[axis]
        const moved = b.subtract(i, b.constant(attributes.before[axis], "i32"))
        const low = b.binary("lessEqual", b.constant(0, "i32"), moved)
        const high = b.binary("less", moved, b.constant(extent, "i32"))
        inside = b.binary("and", b.binary("and", inside, low), high)
        const clamped = b.binary("maximum", moved, b.constant(0, "i32"))
        return b.binary("minimum", clamped, b.constant(extent - 1, "i32"))
      })
      const fill = b.constant(attributes.value, output.dtype)
      // A view of nothing but the padding reads nothing.
      if (inside.kind === "constant" && inside.value === 0) return fill
      return b.select(inside, at(0, source), fill)
    },
  },
  reference: ([x], { before, value }, { shape }) =>
    gather(
      x,
      shape,
      (index) => {
        const source = index.map((i, axis) => i - before[axis])
        return source.every((i, axis) => i >= 0 && i < x.shape[axis]) ? source : undefined
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
