import { assert, describe, it } from "@effect/vitest"
import * as HostArray from "./host_array.ts"
import * as Program from "./program.ts"
import { Spec } from "./program.ts"
import * as T from "./tensor_functions.ts"

/** The message with which tracing `build` fails. */
const refusal = (build: (x: T.Tensor, y: T.Tensor, i: T.Tensor) => unknown): string => {
  try {
    Program.make(
      "wrong",
      { x: Spec.f32([2, 3]), y: Spec.f32([4, 5]), i: Spec.i32([3]) },
      ({ x, y, i }) => build(x, y, i),
    )
  } catch (error) {
    return `${(error as { _tag: string })._tag} ${(error as Error).message}`
  }
  return assert.fail("nothing was refused")
}

describe("what does not fit is refused while tracing, with the operation and the shapes", () => {
  const cases: ReadonlyArray<
    readonly [string, (x: T.Tensor, y: T.Tensor, i: T.Tensor) => unknown]
  > = [
    [
      "ShapeError add of [2, 3] and [4, 5]: shapes do not broadcast together",
      (x, y) => T.add(x, y),
    ],
    [
      "ShapeError where of [2, 3] and [4, 5]: shapes do not broadcast together",
      (x, y) => T.where(T.less(x, 0), y, 0),
    ],
    [
      "ShapeError matmul of [2, 3] and [4, 5]: the inner extents 3 and 4 differ",
      (x, y) => T.matmul(x, y),
    ],
    [
      "ShapeError matmul of [3] and [4, 5]: needs at least two axes each",
      (_, y, i) => T.matmul(T.cast(i, "f32"), y),
    ],
    [
      "ShapeError reshape of [2, 3] and [4, 2]: the number of elements must stay the same",
      (x) => T.reshape(x, [4, 2]),
    ],
    [
      "ShapeError reshape of [2, 3] and [4, -1]: the number of elements must stay the same",
      (x) => T.reshape(x, [4, -1]),
    ],
    [
      "ShapeError reshape of [2, 3] and [-1, -1]: the number of elements must stay the same",
      (x) => T.reshape(x, [-1, -1]),
    ],
    ["ShapeError permute of [2, 3]: [0, 0] is no order of its axes", (x) => T.permute(x, [0, 0])],
    ["ShapeError permute of [2, 3]: there is no axis 2", (x) => T.permute(x, [0, 2])],
    [
      "ShapeError broadcast of [2, 3] and [2, 4]: the first does not broadcast to the second",
      (x) => T.broadcastTo(x, [2, 4]),
    ],
    [
      "ShapeError slice of [2, 3]: 0 to 4 by 1 is outside axis 1",
      (x) => T.slice(x, [0, 0], [2, 4]),
    ],
    [
      "ShapeError slice of [2, 3]: 1 to 1 by 1 is outside axis 0",
      (x) => T.slice(x, [1, 0], [1, 3]),
    ],
    [
      "ShapeError pad of [2, 3]: needs 2 non-negative counts before and after",
      (x) => T.pad(x, [1, -1], [0, 0]),
    ],
    [
      "ShapeError concat of [2, 3] and [4, 5]: shapes may differ along axis 0 only",
      (x, y) => T.concat([x, y], 0),
    ],
    ["ShapeError concat of [2, 3]: there is no axis 2", (x) => T.concat([x, x], 2)],
    ["ShapeError concat of nothing: needs at least one tensor", () => T.concat([], 0)],
    ["ShapeError sum of [2, 3]: [2] are no ascending axes of it", (x) => T.sum(x, [2])],
    ["ShapeError cumsum of [2, 3]: there is no axis -3", (x) => T.cumsum(x, -3)],
    ["ShapeError take of [] and [3]: a scalar has no rows", (_, __, i) => T.take(T.scalar(1), i)],
    [
      "ShapeError updateRows of [2, 3] and [3] and [4, 5]: updates must be [3, 3] of f32",
      (x, y, i) => T.updateRows(x, i, y),
    ],
    [
      "ShapeError input of [0]: every extent of the result must be a whole number of at least 1",
      () => Program.make("p", { x: Spec.f32([0]) }, ({ x }) => x),
    ],
    [
      "DTypeError add of f32 and i32: dtypes must be equal; use cast",
      (x, _, i) => T.add(x, T.reshape(T.broadcastTo(i, [2, 3]), [2, 3])),
    ],
    ["DTypeError exp of i32: needs f32, f16, f64", (_, __, i) => T.exp(i)],
    ["DTypeError take of f32: indices must be i32", (x) => T.take(x, x)],
    ["DTypeError where of f32: needs bool", (x) => T.where(x, x, x)],
    [
      "DTypeError bitcast of bool and f32: needs 32-bit numbers",
      (x) => T.bitcast(T.less(x, 0), "f32"),
    ],
    [
      "DTypeError matmul of i32 and i32: needs two of f32 or f64",
      () => T.matmul(T.iota([2, 2], 0), T.iota([2, 2], 1)),
    ],
    ["DTypeError mean of i32: needs floats", (_, __, i) => T.mean(i)],
    ["DTypeError shl of i32 and i32: the shift count must be u32", (_, __, i) => T.shl(i, i)],
    ["ShapeError HostArray of [2]: 3 values do not fill it", () => HostArray.make([2], [1, 2, 3])],
  ]
  for (const [message, build] of cases) {
    it(`as ${message}`, () => {
      assert.strictEqual(refusal(build), message)
    })
  }

  it("axes may be counted from the end", () => {
    const shape = (build: (x: T.Tensor) => T.Tensor) => build(T.iota([2, 3], 0)).shape
    assert.deepStrictEqual(
      shape((x) => T.expandDims(x, -1)),
      [2, 3, 1],
    )
    assert.deepStrictEqual(
      shape((x) => T.expandDims(x, 0)),
      [1, 2, 3],
    )
    assert.deepStrictEqual(
      shape((x) => T.stack([x, x], -1)),
      [2, 3, 2],
    )
    assert.deepStrictEqual(
      shape((x) => T.concat([x, x], -1)),
      [2, 6],
    )
    assert.deepStrictEqual(
      shape((x) => T.sliceAxis(x, -1, 1, 3)),
      [2, 2],
    )
    assert.deepStrictEqual(
      shape((x) => T.permute(x, [-1, 0])),
      [3, 2],
    )
    assert.deepStrictEqual(
      shape((x) => T.sum(x, [-1])),
      [2],
    )
  })
})
