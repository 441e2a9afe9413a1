import { assert, describe, it } from "@effect/vitest"
import { collapseLoops } from "./collapse.ts"
import { ExpressionBuilder } from "./expression_builder.ts"
import type { Expression } from "./expression.ts"
import type { MapKernel } from "./kernel.ts"

/** A copy over `loops` that reads its source where `position` says. */
const copy = (
  loops: ReadonlyArray<number>,
  position: (builder: ExpressionBuilder, index: ReadonlyArray<Expression>) => Expression,
): MapKernel => {
  const builder = new ExpressionBuilder()
  const index = loops.map((extent, i) => builder.variable(i, extent))
  const length = loops.reduce((product, extent) => product * extent, 1)
  return {
    kind: "map",
    name: "copy",
    loops,
    operands: [
      { dtype: "f32", length, access: "write" },
      { dtype: "f32", length, access: "read" },
    ],
    outputs: [{ operand: 0, value: builder.load(1, position(builder, index), "f32") }],
  }
}

describe("collapseLoops", () => {
  it("walks contiguous memory in one loop", () => {
    const { kernel } = collapseLoops(copy([2, 3, 5], (b, index) => b.linearize(index, [2, 3, 5])))
    assert.deepStrictEqual(kernel.loops, [30])
  })
  it("drops loops of one iteration", () => {
    const { kernel } = collapseLoops(copy([1, 7, 1], (b, index) => b.linearize(index, [1, 7, 1])))
    assert.deepStrictEqual(kernel.loops, [7])
  })
  it("keeps the loops of a transposed read apart", () => {
    const { kernel } = collapseLoops(
      copy([3, 5], (b, [row, column]) => b.add(b.multiply(column, 3), row)),
    )
    assert.deepStrictEqual(kernel.loops, [3, 5])
  })
  it("joins what stays together under a transposition", () => {
    const { kernel } = collapseLoops(
      copy([3, 5, 4], (b, [i, j, k]) => b.linearize([j, i, k], [5, 3, 4])),
    )
    assert.deepStrictEqual(kernel.loops, [3, 5, 4])
    const { kernel: pair } = collapseLoops(
      copy([3, 5, 4], (b, [i, j, k]) => b.linearize([j, k, i], [5, 4, 3])),
    )
    assert.deepStrictEqual(pair.loops, [3, 20])
  })
})
