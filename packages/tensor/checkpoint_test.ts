import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Grad from "./gradient.ts"
import * as HostArray from "./host_array.ts"
import * as Interpreter from "./interpreter.ts"
import * as Program from "./program.ts"
import { Spec } from "./program.ts"
import * as T from "./tensor_functions.ts"

type Tensor = T.Tensor

const inputs = { w: Spec.f32([16, 16]), x: Spec.f32([64, 16]) }
type Inputs = { readonly w: Tensor; readonly x: Tensor }

/** A layer whose inner values take eight times the memory of its input. */
const layer = ({ w, x }: Inputs): Tensor => {
  const wide = T.concat(
    Array.from({ length: 8 }, (_, i) => T.tanh(T.mul(T.matmul(x, w), 1 + i))),
    1,
  )
  return T.add(x, T.mul(T.sum(T.reshape(T.square(wide), [64, 8, 16]), [1]), 0.01))
}

const slope = (block: (tree: Inputs) => Tensor) =>
  Program.make("slope", inputs, (all) =>
    Grad.valueAndGrad(({ w, x }: Inputs) => {
      let y = x
      for (let i = 0; i < 6; i++) y = block({ w, x: y })
      return T.sum(T.square(y))
    })(all),
  )

const evaluate = (program: ReturnType<typeof slope>) =>
  Effect.gen(function* () {
    const values = (shape: ReadonlyArray<number>) =>
      HostArray.make(
        shape,
        Float64Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(i) / 2),
      )
    const run = yield* Program.compile(program)
    const { value, grads } = yield* run({ w: values([16, 16]), x: values([64, 16]) })
    const found = yield* Effect.forEach([value, grads.w, grads.x], T.toArray)
    return found.map((data) => Array.from(data as Iterable<number>))
  }).pipe(Effect.scoped, Effect.provide(Interpreter.layer))

describe("Grad.checkpoint", () => {
  const [plain, checkpointed] = [slope(layer), slope(Grad.checkpoint(layer))]

  it.effect("changes neither value nor gradient", () =>
    Effect.gen(function* () {
      const [found, expected] = [yield* evaluate(checkpointed), yield* evaluate(plain)]
      for (const [i, list] of expected.entries()) {
        for (const [at, x] of list.entries())
          assert.closeTo(found[i][at], x, 1e-9 * (1 + Math.abs(x)))
      }
    }),
  )

  it("takes less memory, and computes again what it did not keep", () => {
    assert.isBelow(checkpointed.schedule.arenaBytes, plain.schedule.arenaBytes / 2)
    assert.isAbove(checkpointed.schedule.steps.length, plain.schedule.steps.length)
  })

  it.effect("has several results", () =>
    Effect.gen(function* () {
      const two = (block: (x: Tensor) => { readonly a: Tensor; readonly b: Tensor }) =>
        Program.make("two", { x: Spec.f32([3]) }, ({ x }) =>
          Grad.grad((x: Tensor) => {
            const { a, b } = block(x)
            return T.sum(T.mul(a, b))
          })(x),
        )
      const block = (x: Tensor) => ({ a: T.exp(x), b: T.sin(x) })
      const given = { x: HostArray.make([3], [0.1, 0.5, 1]) }
      const run = (program: ReturnType<typeof two>) =>
        Effect.gen(function* () {
          const compiled = yield* Program.compile(program)
          return Array.from((yield* T.toArray(yield* compiled(given))) as Iterable<number>)
        }).pipe(Effect.scoped, Effect.provide(Interpreter.layer))
      const [found, expected] = [yield* run(two(Grad.checkpoint(block))), yield* run(two(block))]
      for (const [i, x] of expected.entries()) assert.closeTo(found[i], x, 1e-12)
    }),
  )
})
