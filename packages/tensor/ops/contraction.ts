import { DTypeError, ShapeError } from "../errors.ts"
import type { Shape } from "../shape.ts"
import { broadcastShapes, forEachIndex, positionOf, sameShape, sizeOf } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import { apply } from "../tensor.ts"
import { broadcastTo, reshape, transpose } from "./movement.ts"
import type { ExampleInput } from "./operation.ts"
import { defineOperation } from "./operation.ts"

type None = Record<string, never>

const f32 = (shape: Shape): ExampleInput => ({ shape, dtype: "f32", domain: [-1, 1] })
const pair = (left: Shape, right: Shape) => ({ inputs: [f32(left), f32(right)], attributes: {} })

export const matmulRow = defineOperation<None>({
  name: "matmul",
  summary: "matrix product over equal leading axes: [batch…, m, k] · [batch…, k, n]",
  arity: 2,
  infer: (inputs) => {
    const [left, right] = [inputs[0], inputs[1]]
    const shapes = [left.shape, right.shape]
    const refuse = (problem: string) => new ShapeError({ operation: "matmul", shapes, problem })
    if (left.dtype !== right.dtype || (left.dtype !== "f32" && left.dtype !== "f64")) {
      const dtypes = [left.dtype, right.dtype]
      throw new DTypeError({ operation: "matmul", dtypes, problem: "needs two of f32 or f64" })
    }
    if (left.shape.length < 2 || left.shape.length !== right.shape.length) {
      throw refuse("needs matrices with the same leading axes")
    }
    const batch = left.shape.slice(0, -2)
    if (!sameShape(batch, right.shape.slice(0, -2))) throw refuse("the leading axes differ")
    if (left.shape.at(-1) !== right.shape.at(-2)) {
      throw refuse(`the inner extents ${left.shape.at(-1)} and ${right.shape.at(-2)} differ`)
    }
    return { shape: [...batch, left.shape.at(-2)!, right.shape.at(-1)!], dtype: left.dtype }
  },
  gradient: (g, node) => [
    matmul(g, transpose(node.inputs[1])),
    matmul(transpose(node.inputs[0]), g),
  ],
  lower: { kind: "contract" },
  reference: ([x, y], _, { shape }) => {
    const inner = x.shape.at(-1)!
    const values = new Float64Array(sizeOf(shape))
    forEachIndex(shape, (index, position) => {
      const batch = index.slice(0, -2)
      const [m, n] = [index.at(-2)!, index.at(-1)!]
      let total = 0
      for (let k = 0; k < inner; k++) {
        total +=
          x.data[positionOf([...batch, m, k], x.shape)] *
          y.data[positionOf([...batch, k, n], y.shape)]
      }
      values[position] = total
    })
    return values
  },
  examples: [
    pair([1, 1], [1, 1]),
    pair([1, 65], [65, 33]),
    pair([3, 5], [5, 4]),
    pair([13, 17], [17, 11]),
    pair([64, 64], [64, 64]),
    pair([2, 3, 5, 7], [2, 3, 7, 6]),
    pair([70, 300], [300, 9]),
  ],
  tolerance: 3e-6,
})

/**
 * Matrix product `[…, m, k] · […, k, n]`; leading axes broadcast. A plain matrix on the right is
 * one product over all rows of the left, not a batch of small ones.
 */
export const matmul = (left: Tensor, right: Tensor): Tensor => {
  const shapes = [left.shape, right.shape]
  if (left.shape.length < 2 || right.shape.length < 2) {
    throw new ShapeError({ operation: "matmul", shapes, problem: "needs at least two axes each" })
  }
  if (right.shape.length === 2 && left.shape.length > 2) {
    const rows = reshape(left, [-1, left.shape.at(-1)!])
    return reshape(matmul(rows, right), [...left.shape.slice(0, -1), right.shape[1]])
  }
  const batch = broadcastShapes(left.shape.slice(0, -2), right.shape.slice(0, -2))
  if (batch === undefined) {
    throw new ShapeError({
      operation: "matmul",
      shapes,
      problem: "the leading axes do not broadcast together",
    })
  }
  const spread = (x: Tensor) => broadcastTo(x, [...batch, ...x.shape.slice(-2)])
  return apply(matmulRow, [spread(left), spread(right)], {})
}
