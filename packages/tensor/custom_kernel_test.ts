import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Kernel from "./custom_kernel.ts"
import { ShapeError } from "./errors.ts"
import * as Grad from "./gradient.ts"
import * as HostArray from "./host_array.ts"
import * as Interpreter from "./interpreter.ts"
import * as Program from "./program.ts"
import { Spec } from "./program.ts"
import type { Tensor } from "./tensor.ts"
import * as T from "./tensor_functions.ts"
import { checkSchedule } from "./testing/check_schedule.ts"
import * as Tree from "./tree.ts"

/** Sum and difference, scaled: two results, an attribute, the gradient of the reference. */
const mix = Kernel.define<{ readonly scale: number }>({
  name: "mix",
  reference: ([x, y], { scale }) => [T.mul(T.add(x, y), scale), T.mul(T.sub(x, y), scale)],
})

/** The same with a gradient by hand, which is wrong on purpose: it shows that it is the one used. */
const odd = Kernel.define({
  name: "odd",
  reference: ([x]) => [T.square(x)],
  vjp: ([flow], { inputs: [x] }) => [flow === undefined ? undefined : T.mul(flow, T.mul(x, 10))],
})

const inputs = { x: Spec.f32([3]), y: Spec.f32([3]) }
const given = { x: HostArray.make([3], [1, 2, 3]), y: HostArray.make([3], [10, 20, 30]) }

const evaluate = (build: (inputs: { readonly x: Tensor; readonly y: Tensor }) => unknown) =>
  Effect.gen(function* () {
    const program = Program.make("test", inputs, build)
    checkSchedule(program.schedule)
    const run = yield* Program.compile(program)
    const found = Tree.leaves(yield* run(given))
    const lists = yield* Effect.forEach(found, (leaf) => T.toArray(leaf as never))
    return lists.map((data) => Array.from(data as Iterable<number>))
  }).pipe(Effect.scoped, Effect.provide(Interpreter.layer))

describe("Kernel.define", () => {
  it.effect("means its reference", () =>
    Effect.gen(function* () {
      const found = yield* evaluate(({ x, y }) => mix([T.neg(x), y], { scale: 2 }))
      assert.deepStrictEqual(found, [
        [18, 36, 54],
        [-22, -44, -66],
      ])
    }),
  )

  it.effect("has the gradient of its reference, through each result", () =>
    Effect.gen(function* () {
      const [gx, gy] = yield* evaluate(({ x, y }) => {
        const loss = (a: Tensor, b: Tensor) => {
          const [sum, difference] = mix([a, b], { scale: 3 })
          return T.sum(T.add(T.mul(sum, 2), difference))
        }
        return Grad.grad(({ a, b }: { a: Tensor; b: Tensor }) => loss(a, b))({ a: x, b: y })
      })
      assert.deepStrictEqual(gx, [9, 9, 9])
      assert.deepStrictEqual(gy, [3, 3, 3])
    }),
  )

  it.effect("has its own gradient where it gives one", () =>
    Effect.gen(function* () {
      const [slope] = yield* evaluate(({ x }) =>
        Grad.grad((x: Tensor) => T.sum(odd([x], {})[0]))(x),
      )
      assert.deepStrictEqual(slope, [10, 20, 30])
    }),
  )

  it("runs equal calls once, different ones apart", () => {
    const calls = (scale: number) =>
      Program.make("test", inputs, ({ x, y }) => [
        mix([x, y], { scale: 2 })[0],
        mix([x, y], { scale })[1],
      ]).schedule.steps.filter(({ kernel }) => kernel.kind === "custom").length
    assert.strictEqual(calls(2), 1)
    assert.strictEqual(calls(3), 2)
  })

  it("is one kernel that binds inputs, then results", () => {
    const { schedule } = Program.make("test", inputs, ({ x, y }) => mix([x, y], { scale: 2 })[1])
    const [{ kernel, buffers }] = schedule.steps
    assert.strictEqual(kernel.kind, "custom")
    assert.deepStrictEqual(
      kernel.operands.map(({ access }) => access),
      ["read", "read", "write", "write"],
    )
    assert.strictEqual(buffers[3], schedule.outputs[0])
  })

  it("needs inputs and results", () => {
    const empty = Kernel.define({ name: "empty", reference: () => [] })
    const trace = () => Program.make("test", inputs, ({ x }) => empty([x], {}))
    assert.throws(trace, ShapeError, "needs inputs and results")
  })
})
