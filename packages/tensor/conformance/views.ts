import type { HostArray } from "../host_array.ts"
import { allocate, isFloat } from "../dtype.ts"
import { draw } from "./case.ts"
import type { ExampleInput } from "../ops/operation.ts"
import { forEachIndex, positionOf, sizeOf } from "../shape.ts"
import type { Shape } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import * as T from "../tensor_functions.ts"

/** Ways in which an operand may be a view of what lies in memory. */
export const viewKinds = ["plain", "permuted", "sliced", "broadcast", "flipped"] as const
export type ViewKind = (typeof viewKinds)[number]

/** An operand that is a view of an array: the array, the view, and the values it shows. */
export interface ViewedInput {
  readonly buffer: HostArray
  readonly view: (buffer: Tensor) => Tensor
  readonly values: HostArray
}

interface Plan {
  readonly shape: Shape
  readonly view: (buffer: Tensor) => Tensor
  readonly from: (index: ReadonlyArray<number>) => ReadonlyArray<number>
}

const plans: Record<ViewKind, (shape: Shape) => Plan> = {
  plain: (shape) => ({ shape, view: (x) => x, from: (index) => index }),
  permuted: (shape) => {
    const turned = shape.map((_, axis) => shape.length - 1 - axis)
    return {
      shape: shape.toReversed(),
      view: (x) => T.permute(x, turned),
      from: (index) => index.toReversed(),
    }
  },
  /** A window in something larger; along the last axis every second element. */
  sliced: (shape) => {
    if (shape.length === 0) {
      return { shape: [3], view: (x) => T.reshape(T.slice(x, [1], [2]), []), from: () => [1] }
    }
    const steps = shape.map((_, axis) => (axis === shape.length - 1 ? 2 : 1))
    const limits = shape.map((extent, axis) => 1 + (extent - 1) * steps[axis] + 1)
    return {
      shape: limits.map((limit) => limit + 2),
      view: (x) =>
        T.slice(
          x,
          shape.map(() => 1),
          limits,
          steps,
        ),
      from: (index) => index.map((i, axis) => 1 + i * steps[axis]),
    }
  },
  /** Every second axis repeats one element, the first one by being absent. */
  broadcast: (shape) => ({
    shape: shape.slice(1).map((extent, axis) => (axis % 2 === 0 ? extent : 1)),
    view: (x) => T.broadcastTo(x, shape),
    from: (index) => index.slice(1).map((i, axis) => (axis % 2 === 0 ? i : 0)),
  }),
  flipped: (shape) => ({
    shape,
    view: (x) => T.flip(x, shape.length === 0 ? [] : [-1]),
    from: (index) => index.map((i, axis) => (axis === shape.length - 1 ? shape[axis] - 1 - i : i)),
  }),
}

/** What lies around a window: nobody may look at it. */
const garbage = (input: ExampleInput): number =>
  isFloat(input.dtype) ? Number.NaN : input.dtype === "bool" ? 1 : 2_000_000_000

/** Draws an operand and hides it in a larger, turned or smaller array. */
export const viewed = (kind: ViewKind, input: ExampleInput, random: () => number): ViewedInput => {
  const { shape, view, from } = plans[kind](input.shape)
  const drawn = draw({ ...input, shape }, random)
  const seen = new Uint8Array(drawn.data.length)
  const values = allocate(input.dtype, sizeOf(input.shape))
  forEachIndex(input.shape, (index, position) => {
    const place = positionOf(from(index), shape)
    seen[place] = 1
    values[position] = drawn.data[place]
  })
  for (const [place, was] of seen.entries()) if (was === 0) drawn.data[place] = garbage(input)
  return { buffer: drawn, view, values: { ...input, data: values } }
}
