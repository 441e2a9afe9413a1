import { DTypeError, ShapeError } from "../errors.ts"
import type { HostArray } from "../host_array.ts"
import type { Shape } from "../shape.ts"
import { forEachIndex, positionOf, sizeOf } from "../shape.ts"
import type { Tensor, TensorType } from "../tensor.ts"
import { apply } from "../tensor.ts"
import { broadcastTo, reshape } from "./movement.ts"
import type { Example, Operation } from "./operation.ts"
import { defineOperation } from "./operation.ts"
import { and, cast, equal, less, lessEqual, mul, sub } from "./pointwise.ts"
import { max } from "./reduction.ts"
import { iota, scalar } from "./source.ts"

type None = Record<string, never>
const none: None = {}

const requireIndices = (operation: string, indices: TensorType): void => {
  if (indices.dtype === "i32") return
  const dtypes = [indices.dtype]
  throw new DTypeError({ operation, dtypes, problem: "indices must be i32" })
}

export const takeRow = defineOperation<None>({
  name: "take",
  summary: "rows of a tensor by index; an index outside is clamped",
  arity: 2,
  infer: ([table, indices]) => {
    requireIndices("take", indices)
    if (table.shape.length === 0) {
      const shapes = [table.shape, indices.shape]
      throw new ShapeError({ operation: "take", shapes, problem: "a scalar has no rows" })
    }
    return { shape: [...indices.shape, ...table.shape.slice(1)], dtype: table.dtype }
  },
  gradient: (g, node) => {
    const [table, indices] = [node.inputs[0], node.inputs[1]]
    const zeros = broadcastTo(scalar(0, table.dtype), table.shape)
    const rows = reshape(indices, [sizeOf(indices.shape)])
    const updates = reshape(g, [sizeOf(indices.shape), ...table.shape.slice(1)])
    return [scatterAdd(zeros, rows, updates), undefined]
  },
  lower: {
    kind: "view",
    value: ({ builder: b, inputs }, index, at) => {
      const rank = inputs[1].shape.length
      const row = at(1, index.slice(0, rank))
      const last = b.constant(inputs[0].shape[0] - 1, "i32")
      const clamped = b.binary("minimum", b.binary("maximum", row, b.constant(0, "i32")), last)
      return at(0, [clamped, ...index.slice(rank)])
    },
  },
  reference: ([table, indices], _, { shape }) => {
    const values = new Float64Array(sizeOf(shape))
    const rank = indices.shape.length
    forEachIndex(shape, (index, position) => {
      const row = indices.data[positionOf(index.slice(0, rank), indices.shape)]
      const clamped = Math.min(Math.max(row, 0), table.shape[0] - 1)
      values[position] = table.data[positionOf([clamped, ...index.slice(rank)], table.shape)]!
    })
    return values
  },
  examples: [
    {
      inputs: [
        { shape: [9, 5], dtype: "f32", domain: [-2, 2] },
        { shape: [7], dtype: "i32", domain: [0, 8] },
      ],
      attributes: none,
    },
    {
      inputs: [
        { shape: [6, 3, 4], dtype: "f32", domain: [-2, 2] },
        { shape: [2, 5], dtype: "i32", domain: [0, 5] },
      ],
      attributes: none,
    },
    {
      inputs: [
        { shape: [65], dtype: "i32", domain: [-9, 9] },
        { shape: [], dtype: "i32", domain: [0, 64] },
      ],
      attributes: none,
    },
  ],
  tolerance: 0,
})

/** Rows `table[indices]`: shape `[…indices, …row]`. Indices are `i32`; outside ones are clamped. */
export const take = (table: Tensor, indices: Tensor): Tensor =>
  apply(takeRow, [table, indices], none)

const scatterInfer =
  (operation: string): Operation<None>["infer"] =>
  (inputs) => {
    const [into, rows, updates] = [inputs[0], inputs[1], inputs[2]]
    requireIndices(operation, rows)
    const expected = [...rows.shape, ...into.shape.slice(1)]
    const fits =
      rows.shape.length === 1 &&
      into.shape.length >= 1 &&
      expected.length === updates.shape.length &&
      expected.every((extent, axis) => extent === updates.shape[axis]) &&
      into.dtype === updates.dtype
    if (!fits) {
      const shapes = inputs.map((x) => x.shape)
      const problem = `updates must be [${expected.join(", ")}] of ${into.dtype}`
      throw new ShapeError({ operation, shapes, problem })
    }
    return { shape: into.shape, dtype: into.dtype }
  }

const scatterReference =
  (combine: (before: number, update: number) => number) =>
  ([into, rows, updates]: ReadonlyArray<HostArray>): Float64Array => {
    const values = Float64Array.from(into.data)
    const inner = sizeOf(into.shape.slice(1))
    rows.data.forEach((row, t) => {
      if (row < 0 || row >= into.shape[0]) return
      for (let d = 0; d < inner; d++) {
        const place = row * inner + d
        values[place] = combine(values[place], updates.data[t * inner + d])
      }
    })
    return values
  }

const scatterExample = (into: Shape, count: number, dtype: "f32" | "i32"): Example<None> => ({
  inputs: [
    { shape: into, dtype, domain: [-2, 2] },
    { shape: [count], dtype: "i32", domain: [-1, into[0]] },
    { shape: [count, ...into.slice(1)], dtype, domain: [-2, 2] },
  ],
  attributes: none,
})
const scatterExamples = [
  scatterExample([5, 3], 7, "f32"),
  scatterExample([65], 9, "f32"),
  scatterExample([4, 2, 33], 1, "f32"),
  scatterExample([5, 3], 7, "i32"),
]

export const scatterAddRow = defineOperation<None>({
  name: "scatterAdd",
  summary: "rows of updates added to the rows they name; a row outside is dropped",
  arity: 3,
  infer: scatterInfer("scatterAdd"),
  gradient: (g, node) => [g, undefined, takeInside(g, node.inputs[1])],
  lower: { kind: "scatter", mode: "add" },
  reference: scatterReference((before, update) => before + update),
  examples: scatterExamples,
  tolerance: 1e-6,
})
/** `into` with row `updates[t]` added to row `rows[t]`, t ascending; rows outside are dropped. */
export const scatterAdd = (into: Tensor, rows: Tensor, updates: Tensor): Tensor =>
  apply(scatterAddRow, [into, rows, updates], none)

export const updateRowsRow = defineOperation<None>({
  name: "updateRows",
  summary: "rows replaced by the updates that name them; the last of equals wins",
  arity: 3,
  infer: scatterInfer("updateRows"),
  gradient: (g, node) => {
    const [into, rows, updates] = node.inputs
    const nothing = broadcastTo(scalar(0, into.dtype), updates.shape)
    return [updateRows(g, rows, nothing), undefined, mul(takeInside(g, rows), lastOfEquals(node))]
  },
  lower: { kind: "scatter", mode: "set" },
  reference: scatterReference((_, update) => update),
  examples: scatterExamples,
  tolerance: 0,
})
/**
 * `into` with row `rows[t]` replaced by `updates[t]`; rows outside are dropped. On an input that is
 * donated this writes in place: it is how a key-value cache grows.
 */
export const updateRows = (into: Tensor, rows: Tensor, updates: Tensor): Tensor =>
  apply(updateRowsRow, [into, rows, updates], none)

/** 1 where no later update of an `updateRows` names the same row, 0 elsewhere; it broadcasts. */
const lastOfEquals = ({ inputs: [, rows, updates] }: Tensor): Tensor => {
  const [count] = rows.shape
  const pairs = [count, count]
  const same = equal(
    broadcastTo(reshape(rows, [count, 1]), pairs),
    broadcastTo(reshape(rows, [1, count]), pairs),
  )
  const later = less(iota(pairs, 0), iota(pairs, 1))
  const replaced = max(cast(and(same, later), updates.dtype), [1])
  return reshape(sub(1, replaced), [count, ...updates.shape.slice(1).map(() => 1)])
}

/** Like {@link take}, with zeros for rows outside. */
const takeInside = (table: Tensor, rows: Tensor): Tensor => {
  const inside = and(lessEqual(0, rows), less(rows, table.shape[0]))
  const column = [...rows.shape, ...table.shape.slice(1).map(() => 1)]
  return mul(take(table, rows), reshape(cast(inside, table.dtype), column))
}

export const indexingRows = [takeRow, scatterAddRow, updateRowsRow]
