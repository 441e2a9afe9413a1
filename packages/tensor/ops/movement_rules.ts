import type { DType } from "../dtype.ts"
import type { HostArray } from "../host_array.ts"
import { ShapeError } from "../errors.ts"
import type { Shape } from "../shape.ts"
import { forEachIndex, positionOf, sizeOf } from "../shape.ts"
import type { ExampleInput } from "./operation.ts"

export const refuse = (operation: string, shapes: ReadonlyArray<Shape>, problem: string): never => {
  throw new ShapeError({ operation, shapes, problem })
}

/** Reads `x` for every index of `shape` at the index that `from` names; outside gives `fill`. */
export const gather = (
  x: HostArray,
  shape: Shape,
  from: (index: ReadonlyArray<number>) => ReadonlyArray<number> | undefined,
  fill = 0,
): Float64Array => {
  const values = new Float64Array(sizeOf(shape))
  forEachIndex(shape, (index, position) => {
    const source = from(index)
    values[position] = source === undefined ? fill : x.data[positionOf(source, x.shape)]
  })
  return values
}

export const f32 = (shape: Shape, dtype: DType = "f32"): ExampleInput => ({
  shape,
  dtype,
  domain: dtype === "f32" ? [-3, 3] : [0, 9],
})

/** An axis that may be counted from the end (−1 is the last) as one counted from the start. */
export const normalizeAxis = (
  operation: string,
  shape: Shape,
  axis: number,
  rank = shape.length,
): number => {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    refuse(operation, [shape], `there is no axis ${axis}`)
  }
  return axis < 0 ? axis + rank : axis
}
