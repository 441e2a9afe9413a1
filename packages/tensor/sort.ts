import { ShapeError } from "./errors.ts"
import * as Kernel from "./custom_kernel.ts"
import { bitonicShader } from "./kernel/sort_wgsl.ts"
import { mergeSortCode } from "./kernel/sort_wasm.ts"
import { scatterAdd, take } from "./ops/indexing.ts"
import { broadcastTo, expandDims, permute, reshape, sliceAxis } from "./ops/movement.ts"
import { normalizeAxis } from "./ops/movement_rules.ts"
import { add, and, cast, equal, less, mul, or } from "./ops/pointwise.ts"
import { sum } from "./ops/reduction.ts"
import { iota } from "./ops/source.ts"
import { zeros } from "./ops/composite.ts"
import { sizeOf } from "./shape.ts"
import type { Tensor } from "./tensor.ts"

type SortAttributes = { readonly descending: boolean }

/** Elements of `x` [rows, n] at `indices` [rows, k] of the same row. */
const takeInRow = (x: Tensor, indices: Tensor): Tensor => {
  const [rows, length] = x.shape
  const starts = mul(iota(indices.shape, 0), length)
  return take(reshape(x, [rows * length]), add(indices, starts))
}

/**
 * The order of each row by counting, for every element, those that come before it: quadratic, and
 * without a loop.
 */
const countingOrder = ([x]: ReadonlyArray<Tensor>, { descending }: SortAttributes) => {
  const [rows, length] = x.shape
  const pairs = [rows, length, length]
  const own = broadcastTo(expandDims(x, 2), pairs)
  const other = broadcastTo(expandDims(x, 1), pairs)
  const before = descending ? less(own, other) : less(other, own)
  const earlier = less(iota(pairs, 2), iota(pairs, 1))
  const rank = sum(cast(or(before, and(equal(own, other), earlier)), "i32"), [2])
  const places = add(rank, mul(iota(x.shape, 0), length))
  const order = scatterAdd(
    zeros([rows * length], "i32"),
    reshape(places, [rows * length]),
    reshape(iota(x.shape, 1), [rows * length]),
  )
  return [reshape(order, [rows, length])]
}

const sortKernel = Kernel.define<SortAttributes>({
  name: "argsort",
  reference: countingOrder,
  wasm: (_, { inputs: [x], attributes }) => mergeSortCode(x, attributes.descending),
  wgsl: (target, { inputs: [x], attributes }) => bitonicShader(target, x, attributes.descending),
  vjp: () => [],
})

/** How elements are put in order. */
export interface SortOptions {
  /** The largest first. */
  readonly descending?: boolean
}

/** Works on rows [rows, n] of the axis, and gives back [rows, k] in its place. */
const alongAxis = (
  operation: string,
  x: Tensor,
  axis: number,
  f: (rows: Tensor) => ReadonlyArray<Tensor>,
): ReadonlyArray<Tensor> => {
  if (x.shape.length === 0) {
    throw new ShapeError({ operation, shapes: [[]], problem: "a scalar has no axis" })
  }
  const at = normalizeAxis(operation, x.shape, axis)
  const order = x.shape.map((_, i) => i)
  const last = order.length - 1
  ;[order[at], order[last]] = [last, at]
  const turned = permute(x, order)
  const outer = turned.shape.slice(0, -1)
  const rows = reshape(turned, [sizeOf(outer), turned.shape[last]])
  return f(rows).map((found) => permute(reshape(found, [...outer, found.shape[1]]), order))
}

const orderOf = (rows: Tensor, { descending = false }: SortOptions): Tensor =>
  sortKernel([rows], { descending })[0]

/**
 * The positions that put `axis` (the last by default) in order, as `i32`; equal elements stay in
 * their order. NaN has no place in an order: the result is then some permutation or none.
 *
 * @example
 * ```ts
 * import { Program, Spec, Tensor } from "@espalier/tensor"
 *
 * Program.make("order", { x: Spec.f32([4, 9]) }, ({ x }) => Tensor.argsort(x, -1, { descending: true }))
 * ```
 */
export const argsort = (x: Tensor, axis = -1, options: SortOptions = {}): Tensor =>
  alongAxis("argsort", x, axis, (rows) => [orderOf(rows, options)])[0]

/** The elements along `axis` (the last by default) in order. Has a gradient. */
export const sort = (x: Tensor, axis = -1, options: SortOptions = {}): Tensor =>
  alongAxis("sort", x, axis, (rows) => [takeInRow(rows, orderOf(rows, options))])[0]

/**
 * The `count` largest elements along `axis` (the last by default), the largest first, and their
 * positions as `i32`; of equals the first. The values have a gradient.
 *
 * Throws `ShapeError` where the axis has fewer.
 */
export const topK = (
  x: Tensor,
  count: number,
  axis = -1,
): { readonly values: Tensor; readonly indices: Tensor } => {
  const [values, indices] = alongAxis("topK", x, axis, (rows) => {
    if (count < 1 || count > rows.shape[1]) {
      const problem = `has no ${count} elements along axis ${axis}`
      throw new ShapeError({ operation: "topK", shapes: [x.shape], problem })
    }
    const order = sliceAxis(orderOf(rows, { descending: true }), 1, 0, count)
    return [takeInRow(rows, order), order]
  })
  return { values, indices }
}
