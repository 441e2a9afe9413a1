import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ShapeError } from "./errors.ts"
import * as Grad from "./gradient.ts"
import * as HostArray from "./host_array.ts"
import * as Interpreter from "./interpreter.ts"
import * as Program from "./program.ts"
import { Spec } from "./program.ts"
import * as T from "./tensor_functions.ts"
import * as Tree from "./tree.ts"

type Tensor = T.Tensor

const values = (shape: ReadonlyArray<number>, seed: number): HostArray.HostArray =>
  HostArray.make(
    shape,
    Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) =>
      Math.sin(seed * 7 + i * 1.3),
    ),
  )

const evaluate = <I, O>(program: Program.Program<I, O>, inputs: unknown) =>
  Effect.gen(function* () {
    const run = yield* Program.compile(program)
    const outputs = yield* run(inputs as never)
    return yield* Effect.forEach(Tree.leaves(outputs), (leaf) => T.toArray(leaf as never))
  }).pipe(
    Effect.scoped,
    Effect.provide(Interpreter.layer),
    Effect.map((all) => all.map((data) => Array.from(data as Iterable<number>))),
  )

const close = (found: ReadonlyArray<ReadonlyArray<number>>, expected: typeof found): void => {
  assert.strictEqual(found.length, expected.length)
  for (const [i, list] of expected.entries()) {
    assert.strictEqual(found[i].length, list.length)
    for (const [at, x] of list.entries()) assert.closeTo(found[i][at], x, 1e-9 * (1 + Math.abs(x)))
  }
}

const [length, width] = [7, 3]
const inputs = {
  h: Spec.f32([width]),
  w: Spec.f32([width, width]),
  x: Spec.f32([length, width]),
}
const given = { h: values([width], 1), w: values([width, width], 2), x: values([length, width], 3) }

type Inputs = { readonly h: Tensor; readonly w: Tensor; readonly x: Tensor }

/** A recurrent network of one layer. */
const cell = (h: Tensor, x: Tensor, w: Tensor): Tensor =>
  T.tanh(T.add(T.reshape(T.matmul(T.reshape(h, [1, width]), w), [width]), x))

const looped = ({ h, w, x }: Inputs, reverse = false) =>
  Program.scan(
    (carry: Tensor, row: Tensor) => {
      const next = cell(carry, row, w)
      return { carry: next, y: { square: T.square(next), next } }
    },
    { carry: h, over: x, reverse },
  )

const unrolled = ({ h, w, x }: Inputs, reverse = false) => {
  let carry = h
  const rows: Array<Tensor> = []
  for (let n = 0; n < length; n++) {
    const i = reverse ? length - 1 - n : n
    carry = cell(carry, T.reshape(T.sliceAxis(x, 0, i, i + 1), [width]), w)
    rows[i] = carry
  }
  const next = T.stack(rows, 0)
  return { carry, ys: { square: T.square(next), next } }
}

describe("Program.scan", () => {
  for (const reverse of [false, true]) {
    it.effect(`is the loop written out${reverse ? ", in reverse" : ""}`, () =>
      Effect.gen(function* () {
        const one = Program.make("scan", inputs, (all) => looped(all, reverse))
        const other = Program.make("unrolled", inputs, (all) => unrolled(all, reverse))
        close(yield* evaluate(one, given), yield* evaluate(other, given))
      }),
    )

    it.effect(`has the gradient of the loop written out${reverse ? ", in reverse" : ""}`, () =>
      Effect.gen(function* () {
        const slope = (loop: typeof looped) =>
          Program.make("slope", inputs, (all) =>
            Grad.grad((trees: Inputs) => {
              const { carry, ys } = loop(trees, reverse)
              const weights = T.iota([length, width], 0, "f32")
              return T.add(T.sum(T.mul(ys.square, weights)), T.sum(T.exp(carry)))
            })(all),
          )
        close(yield* evaluate(slope(looped), given), yield* evaluate(slope(unrolled), given))
      }),
    )
  }

  it.effect("keeps what nobody uses out of memory", () =>
    Effect.gen(function* () {
      const last = Program.make("last", inputs, (all) => looped(all).carry)
      const [step] = last.schedule.steps.filter(({ kernel }) => kernel.kind === "custom")
      assert.strictEqual(step.kernel.operands.filter(({ access }) => access === "write").length, 1)
      const whole = Program.make("unrolled", inputs, (all) => unrolled(all).carry)
      close(yield* evaluate(last, given), yield* evaluate(whole, given))
    }),
  )

  it.effect("has trees, whole numbers and an index", () =>
    Effect.gen(function* () {
      const program = Program.make("trees", { x: Spec.f32([4]) }, ({ x }) =>
        Program.scan(
          ({ sum, count }: { sum: Tensor; count: Tensor }, row: readonly [Tensor], index) => ({
            carry: { sum: T.add(sum, row[0]), count: T.add(count, index) },
            y: T.mul(row[0], T.cast(count, "f32")),
          }),
          { carry: { sum: T.scalar(0), count: T.scalar(10, "i32") }, over: [x] as const },
        ),
      )
      const found = yield* evaluate(program, { x: HostArray.make([4], [1, 2, 3, 4]) })
      assert.deepStrictEqual(found, [[16], [10], [10, 20, 33, 52]])
    }),
  )

  it.effect("nests, with a gradient through both", () =>
    Effect.gen(function* () {
      const nested = (x: Tensor): Tensor =>
        Program.scan(
          (total: Tensor, row: Tensor) => {
            const { carry } = Program.scan(
              (product: Tensor, each: Tensor) => ({
                carry: T.mul(product, T.add(each, total)),
                y: [],
              }),
              { carry: T.scalar(1), over: row },
            )
            return { carry: T.add(total, carry), y: [] }
          },
          { carry: T.scalar(0.5), over: x },
        ).carry
      const plain = (x: Tensor): Tensor => {
        let total: Tensor = T.scalar(0.5)
        for (let i = 0; i < 3; i++) {
          let product: Tensor = T.scalar(1)
          for (let j = 0; j < 2; j++) {
            const each = T.reshape(T.slice(x, [i, j], [i + 1, j + 1]), [])
            product = T.mul(product, T.add(each, total))
          }
          total = T.add(total, product)
        }
        return total
      }
      const slope = (f: (x: Tensor) => Tensor) =>
        Program.make("slope", { x: Spec.f32([3, 2]) }, ({ x }) => Grad.valueAndGrad(f)(x))
      const x = values([3, 2], 5)
      close(yield* evaluate(slope(nested), { x }), yield* evaluate(slope(plain), { x }))
    }),
  )

  it("refuses a round that changes the shape, and rows that do not agree", () => {
    const trace = (build: (x: Tensor) => unknown) => () =>
      Program.make("bad", { x: Spec.f32([4, 2]) }, ({ x }) => build(x))
    const grows = trace((x) =>
      Program.scan((c: Tensor) => ({ carry: T.concat([c, c], 0), y: [] }), {
        carry: x,
        length: 2,
      }),
    )
    assert.throws(grows, ShapeError, "same shape")
    const uneven = trace((x) =>
      Program.scan((c: Tensor) => ({ carry: c, y: [] }), { carry: x, over: [x, T.zeros([3])] }),
    )
    assert.throws(uneven, ShapeError, "one length")
  })
})
