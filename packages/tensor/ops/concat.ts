import { DTypeError } from "../errors.ts"
import type { Expression } from "../ir/expression.ts"
import { forEachIndex, positionOf, sizeOf } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import { apply } from "../tensor.ts"
import { f32, normalizeAxis, refuse } from "./movement_rules.ts"
import { defineOperation } from "./operation.ts"
import { sliceAxis } from "./slices.ts"
import { expandDims } from "./views.ts"

export const concatRow = defineOperation<{ readonly axis: number }>({
  name: "concat",
  summary: "tensors one after the other along an axis",
  arity: "variadic",
  infer: (inputs, { axis }) => {
    const first = inputs[0]
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
    const extent = shapes.reduce((total, shape) => total + shape[axis], 0)
    return { shape: first.shape.map((e, i) => (i === axis ? extent : e)), dtype: first.dtype }
  },
  gradient: (g, node, { axis }) => {
    let start = 0
    return node.inputs.map((x) => {
      const part = sliceAxis(g, axis, start, start + x.shape[axis])
      start += x.shape[axis]
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
        total += x.shape[axis]
      }
      const part = (input: number) => {
        const moved = b.subtract(index[axis], b.constant(starts[input], "i32"))
        const last = b.constant(inputs[input].shape[axis] - 1, "i32")
        const clamped = b.binary("minimum", b.binary("maximum", moved, b.constant(0, "i32")), last)
        return at(
          input,
          index.map((i, place) => (place === axis ? clamped : i)),
        )
      }
      // From the first input on: a view that shows one of them reads that one only.
      const from = (input: number): Expression => {
        if (input === inputs.length - 1) return part(input)
        const before = b.binary("less", index[axis], b.constant(starts[input + 1], "i32"))
        if (before.kind !== "constant") return b.select(before, part(input), from(input + 1))
        return before.value === 0 ? from(input + 1) : part(input)
      }
      return from(0)
    },
  },
  reference: (inputs, { axis }, { shape }) => {
    const values = new Float64Array(sizeOf(shape))
    forEachIndex(shape, (index, position) => {
      let along = index[axis]
      for (const x of inputs) {
        if (along < x.shape[axis]) {
          const source = index.map((i, place) => (place === axis ? along : i))
          values[position] = x.data[positionOf(source, x.shape)]!
          return
        }
        along -= x.shape[axis]
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
/** More inputs than one kernel may bind are joined in groups. */
const groupSize = 7

/** Tensors one after the other along an existing axis. */
export const concat = (inputs: ReadonlyArray<Tensor>, axis: number): Tensor => {
  if (inputs.length === 0) refuse("concat", [], "needs at least one tensor")
  if (inputs.length === 1) return inputs[0]
  const at = normalizeAxis("concat", inputs[0].shape, axis)
  if (inputs.length <= groupSize) return apply(concatRow, inputs, { axis: at })
  const size = Math.ceil(inputs.length / groupSize)
  const groups: Array<Tensor> = []
  for (let i = 0; i < inputs.length; i += size) groups.push(concat(inputs.slice(i, i + size), at))
  return concat(groups, at)
}
/** Tensors of one shape side by side along a new axis. */
export const stack = (inputs: ReadonlyArray<Tensor>, axis: number): Tensor => {
  if (inputs.length === 0) refuse("stack", [], "needs at least one tensor")
  const [first] = inputs
  const at = normalizeAxis("stack", first.shape, axis, first.shape.length + 1)
  return concat(
    inputs.map((x) => expandDims(x, at)),
    at,
  )
}
