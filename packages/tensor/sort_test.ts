import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ShapeError } from "./errors.ts"
import * as Grad from "./gradient.ts"
import * as HostArray from "./host_array.ts"
import * as Interpreter from "./interpreter.ts"
import * as Program from "./program.ts"
import { Spec } from "./program.ts"
import * as T from "./tensor_functions.ts"
import type { Tensor } from "./tensor.ts"
import * as Tree from "./tree.ts"

const evaluate = (x: HostArray.HostArray, build: (x: Tensor) => unknown) =>
  Effect.gen(function* () {
    const program = Program.make("test", { x: new Spec(x.shape, x.dtype) }, ({ x }) => build(x))
    const run = yield* Program.compile(program)
    const found = Tree.leaves(yield* run({ x }))
    const lists = yield* Effect.forEach(found, (leaf) => T.toArray(leaf as never))
    return lists.map((data) => Array.from(data as Iterable<number>))
  }).pipe(Effect.scoped, Effect.provide(Interpreter.layer))

const x = HostArray.make([2, 5], [3, 1, 2, 1, 9, -1, 0, 5, 0, -7])

describe("sorting", () => {
  it.effect("puts rows in order, equal elements as they came", () =>
    Effect.gen(function* () {
      const [sorted, order] = yield* evaluate(x, (x) => [T.sort(x), T.argsort(x)])
      assert.deepStrictEqual(sorted, [1, 1, 2, 3, 9, -7, -1, 0, 0, 5])
      assert.deepStrictEqual(order, [1, 3, 2, 0, 4, 4, 0, 1, 3, 2])
    }),
  )

  it.effect("goes along any axis, the largest first if asked", () =>
    Effect.gen(function* () {
      const options = { descending: true }
      const [sorted, order] = yield* evaluate(x, (x) => [
        T.sort(x, 0, options),
        T.argsort(x, 0, options),
      ])
      assert.deepStrictEqual(sorted, [3, 1, 5, 1, 9, -1, 0, 2, 0, -7])
      assert.deepStrictEqual(order, [0, 0, 1, 0, 0, 1, 1, 0, 1, 1])
    }),
  )

  it.effect("finds the largest elements and where they are", () =>
    Effect.gen(function* () {
      const [indices, values] = yield* evaluate(x, (x) => T.topK(x, 2))
      assert.deepStrictEqual(values, [9, 3, 5, 0])
      assert.deepStrictEqual(indices, [4, 0, 2, 1])
    }),
  )

  it.effect("has the gradient of what it picked", () =>
    Effect.gen(function* () {
      const [top] = yield* evaluate(x, (x) =>
        Grad.grad((x: Tensor) => T.sum(T.square(T.topK(x, 2).values)))(x),
      )
      assert.deepStrictEqual(top, [6, 0, 0, 0, 18, 0, 0, 10, 0, 0])
      const weights = T.iota([2, 5], 1, "f32")
      const [all] = yield* evaluate(x, (x) =>
        Grad.grad((x: Tensor) => T.sum(T.mul(T.sort(x), weights)))(x),
      )
      assert.deepStrictEqual(all, [3, 0, 2, 1, 4, 1, 2, 4, 3, 0])
    }),
  )

  it("refuses more elements than there are, and scalars", () => {
    const trace = (build: (x: Tensor) => unknown) => () =>
      Program.make("bad", { x: Spec.f32([3]) }, ({ x }) => build(x))
    assert.throws(
      trace((x) => T.topK(x, 4)),
      ShapeError,
      "no 4 elements",
    )
    assert.throws(
      trace((x) => T.sort(T.sum(x))),
      ShapeError,
      "no axis",
    )
  })
})
