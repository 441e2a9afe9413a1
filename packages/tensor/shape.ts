/** Extents of each axis; `[]` is a scalar. */
export type Shape = ReadonlyArray<number>

/** Number of elements. */
export const sizeOf = (shape: Shape): number =>
  shape.reduce((product, extent) => product * extent, 1)

/** Row-major strides in elements. */
export const stridesOf = (shape: Shape): Array<number> => {
  const strides = Array.from<number>({ length: shape.length })
  let stride = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride
    stride *= shape[axis]
  }
  return strides
}

export const sameShape = (left: Shape, right: Shape): boolean =>
  left.length === right.length && left.every((extent, axis) => extent === right[axis])

/** NumPy's broadcasting of two shapes, or `undefined` where they do not fit. */
export const broadcastShapes = (left: Shape, right: Shape): Shape | undefined => {
  const rank = Math.max(left.length, right.length)
  const shape: Array<number> = []
  for (let axis = 0; axis < rank; axis++) {
    const a = left[axis - rank + left.length] ?? 1
    const b = right[axis - rank + right.length] ?? 1
    if (a !== b && a !== 1 && b !== 1) return undefined
    shape.push(a === 1 ? b : a)
  }
  return shape
}

/** Visits every index of `shape` in row-major order; the same array is reused for each call. */
export const forEachIndex = (
  shape: Shape,
  visit: (index: ReadonlyArray<number>, position: number) => void,
): void => {
  const index = shape.map(() => 0)
  const size = sizeOf(shape)
  for (let position = 0; position < size; position++) {
    visit(index, position)
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]++
      if (index[axis] < shape[axis]) break
      index[axis] = 0
    }
  }
}

/** Row-major position of `index`. */
export const positionOf = (index: ReadonlyArray<number>, shape: Shape): number => {
  let position = 0
  for (let axis = 0; axis < shape.length; axis++) position = position * shape[axis] + index[axis]
  return position
}
