import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { draw, generator } from "./conformance/mod.ts"
import { composites } from "./conformance/composites.ts"
import * as DeviceArray from "./device_array.ts"
import { isFloat } from "./dtype.ts"
import { DTypeError, NoGradient, ShapeError } from "./errors.ts"
import * as Grad from "./gradient.ts"
import type { HostArray } from "./host_array.ts"
import * as Interpreter from "./interpreter.ts"
import type { ExampleInput } from "./ops/operation.ts"
import { operations } from "./ops/table.ts"
import * as Program from "./program.ts"
import { Spec } from "./program.ts"
import { sizeOf } from "./shape.ts"
import type { Tensor } from "./tensor.ts"
import { apply } from "./tensor.ts"
import * as T from "./tensor_functions.ts"

type Values = ReadonlyArray<HostArray>
type Build = (inputs: ReadonlyArray<Tensor>) => Tensor

/** Draws in full `f64`: differences need every digit. */
const drawAll = (inputs: ReadonlyArray<ExampleInput>, seed: number): Values => {
  const random = generator(seed)
  return inputs.map((input) => {
    if (!isFloat(input.dtype)) return draw(input, random)
    const [low, high] = input.domain
    const data = Float64Array.from(
      { length: sizeOf(input.shape) },
      () => low + (high - low) * random(),
    )
    return { shape: input.shape, dtype: input.dtype, data }
  })
}

const compile = (values: Values, build: (inputs: ReadonlyArray<Tensor>) => ReadonlyArray<Tensor>) =>
  Effect.gen(function* () {
    const specs = values.map(({ shape, dtype }) => new Spec(shape, dtype))
    const run = yield* Program.compile(Program.make("check", specs, (tensors) => build(tensors)))
    return (inputs: Values) =>
      Effect.gen(function* () {
        const found = yield* DeviceArray.toHostTree(yield* run(inputs as never))
        return found
      }).pipe(Effect.scoped)
  })

const dot = (x: HostArray, y: HostArray): number =>
  Array.from(x.data).reduce((total, value, i) => total + value * y.data[i], 0)

const step = 1e-5

/** Compares the slope of a scalar along a random direction of each input with its gradient. */
const checkGradient = (inputs: ReadonlyArray<ExampleInput>, loss: Build, seed: number) =>
  Effect.gen(function* () {
    const values = drawAll(inputs, seed)
    const directions = drawAll(
      inputs.map((input) => ({ ...input, domain: [-1, 1] as const })),
      seed + 1,
    )
    const floats = inputs.flatMap((input, i) => (isFloat(input.dtype) ? [i] : []))
    const value = yield* compile(values, (tensors) => [loss(tensors)])
    const gradient = yield* compile(values, (tensors) =>
      Grad.gradients(
        loss(tensors),
        floats.map((i) => tensors[i]),
      ),
    )
    const gradients = yield* gradient(values)
    for (const [at, i] of floats.entries()) {
      const moved = (sign: number): Values =>
        values.map((x, other) =>
          other === i
            ? {
                ...x,
                data: Float64Array.from(x.data, (v, k) => v + sign * step * directions[i].data[k]),
              }
            : x,
        )
      const [above] = yield* value(moved(1))
      const [below] = yield* value(moved(-1))
      const slope = (above.data[0] - below.data[0]) / (2 * step)
      const found = dot(gradients[at], directions[i])
      const allowed = 1e-6 * (1 + Math.abs(slope))
      assert.isAtMost(Math.abs(found - slope), allowed, `input ${i}: ${found}, slope ${slope}`)
    }
  }).pipe(Effect.scoped, Effect.provide(Interpreter.layer))

/** A random weighting of every element, so that no error hides in a sum. */
const project = (x: Tensor, seed: number): Tensor => {
  const weights = drawAll([{ shape: x.shape, dtype: "f32", domain: [-1, 1] }], seed)
  return T.sum(T.mul(x, T.fromHost(weights[0])))
}

describe("the gradient of every operation is the slope", () => {
  const rows = operations.filter((row) => row.gradient !== null && row.examples.length > 0)
  for (const [at, row] of rows.entries()) {
    const examples = row.examples.filter(
      ({ inputs, attributes }) =>
        inputs.some((x) => isFloat(x.dtype)) && isFloat(row.infer(inputs, attributes).dtype),
    )
    // `cast` between floats needs f64, which is no example for every device: it comes below.
    if (row.arity === 0 || row.name === "stopGradient" || row.name === "cast") continue
    it.effect(row.name, () =>
      Effect.gen(function* () {
        assert.isAbove(examples.length, 0)
        for (const [i, { inputs, attributes }] of examples.entries()) {
          const seed = 100 * at + 10 * i
          yield* checkGradient(inputs, (x) => project(apply(row, x, attributes), seed), seed + 1)
        }
      }),
    )
  }
})

it.effect("the gradient of a cast between floats is cast back", () =>
  checkGradient(
    [{ shape: [5], dtype: "f32", domain: [-1, 1] }],
    ([x]) => T.cast(T.sum(T.exp(T.cast(x, "f64"))), "f32"),
    1,
  ),
)

describe("the gradient of functions made of them is the slope", () => {
  for (const [i, { name, inputs, build }] of composites.entries()) {
    if (name.includes("gradient") || name.includes("bits") || name.includes("row update")) continue
    // Programs of whole numbers have none.
    if (!inputs.some(({ dtype }) => isFloat(dtype)) && inputs.length > 0) continue
    it.effect(name, () =>
      checkGradient(
        inputs,
        (x) =>
          build(x)
            .filter((output) => isFloat(output.dtype))
            .map((output, k) => project(output, k))
            .reduce((a, b) => T.add(a, b)),
        7000 + i,
      ),
    )
  }
})

describe("second derivatives are slopes of the first", () => {
  const f32 = (...shape: ReadonlyArray<number>): ExampleInput => ({
    shape,
    dtype: "f32",
    domain: [-1, 1],
  })
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<ExampleInput>, Build]> = [
    ["x³", [f32(5)], ([x]) => T.sum(T.mul(x, T.mul(x, x)))],
    ["tanh of a product", [f32(3, 4), f32(4, 2)], ([x, w]) => T.sum(T.tanh(T.matmul(x, w)))],
    ["softmax", [f32(3, 5)], ([x]) => T.sum(T.square(T.softmax(x)))],
    ["log-sum-exp", [f32(3, 5)], ([x]) => T.sum(T.logSumExp(x))],
    [
      "gelu and division",
      [f32(6), f32(6)],
      ([x, y]) => T.sum(T.div(T.gelu(x), T.add(T.square(y), 1))),
    ],
    [
      "slices and pads",
      [f32(9)],
      ([x]) => T.sum(T.exp(T.pad(T.slice(T.square(x), [1], [8], [2]), [2], [1]))),
    ],
  ]
  for (const [i, [name, inputs, loss]] of cases.entries()) {
    it.effect(name, () =>
      checkGradient(
        inputs,
        (x) =>
          Grad.gradients(loss(x), x)
            .map((gradient, k) => project(gradient, 50 + k))
            .reduce((a, b) => T.add(a, b)),
        9000 + i,
      ),
    )
  }
})

const f32s = (count: number): Spec => Spec.f32([count])
const evaluate = <O>(
  specs: Record<string, Spec>,
  inputs: Record<string, HostArray>,
  build: (inputs: Record<string, Tensor>) => O,
) =>
  Effect.gen(function* () {
    const run = yield* Program.compile(Program.make("test", specs, build as never))
    const found = yield* DeviceArray.toHostTree(yield* run(inputs as never))
    return found as Record<string, HostArray>
  }).pipe(Effect.scoped, Effect.provide(Interpreter.layer))
const host = (...values: ReadonlyArray<number>): HostArray => ({
  shape: [values.length],
  dtype: "f32",
  data: Float64Array.from(values),
})

describe("Grad", () => {
  it.effect("adds up what comes back along every path", () =>
    Effect.gen(function* () {
      const out = yield* evaluate({ x: f32s(3) }, { x: host(1, 2, 3) }, ({ x }) => ({
        g: Grad.grad((y: Tensor) => T.sum(T.add(T.mul(y, y), T.mul(y, 5))))(x),
      }))
      assert.deepStrictEqual(Array.from(out["g"].data), [7, 9, 11])
    }),
  )

  it.effect("gives zeros for what the loss does not use", () =>
    Effect.gen(function* () {
      const out = yield* evaluate(
        { x: f32s(2), y: f32s(3) },
        { x: host(1, 2), y: host(1, 2, 3) },
        (inputs) => {
          const { value, grads } = Grad.valueAndGrad((p: typeof inputs) => T.sum(p["x"]))(inputs)
          return { value, x: grads["x"], y: grads["y"] }
        },
      )
      assert.deepStrictEqual(Array.from(out["value"].data), [3])
      assert.deepStrictEqual(Array.from(out["x"].data), [1, 1])
      assert.deepStrictEqual(Array.from(out["y"].data), [0, 0, 0])
    }),
  )

  it.effect("stops at stopGradient, and at what has no slope", () =>
    Effect.gen(function* () {
      const out = yield* evaluate({ x: f32s(2) }, { x: host(1.5, -2) }, ({ x }) => ({
        stopped: Grad.grad((y: Tensor) => T.sum(T.mul(T.stopGradient(y), y)))(x),
        rounded: Grad.grad((y: Tensor) => T.sum(T.round(y)))(x),
        whole: Grad.grad((y: Tensor) => T.sum(T.cast(T.cast(y, "i32"), "f32")))(x),
      }))
      assert.deepStrictEqual(Array.from(out["stopped"].data), [1.5, -2])
      assert.deepStrictEqual(Array.from(out["rounded"].data), [0, 0])
      assert.deepStrictEqual(Array.from(out["whole"].data), [0, 0])
    }),
  )

  it.effect("keeps a masked infinity out of the other branch", () =>
    Effect.gen(function* () {
      const out = yield* evaluate({ x: f32s(3) }, { x: host(4, 0, 9) }, ({ x }) => ({
        g: Grad.grad((y: Tensor) => {
          const positive = T.greater(y, 0)
          return T.sum(T.where(positive, T.sqrt(T.where(positive, y, 1)), 0))
        })(x),
      }))
      assert.deepStrictEqual(Array.from(out["g"].data), [0.25, 0, 1 / 6])
    }),
  )

  it.effect("of a value inside the graph stops there", () =>
    Effect.gen(function* () {
      const out = yield* evaluate({ x: f32s(2) }, { x: host(3, 4) }, ({ x }) => {
        const y = T.mul(x, 2)
        const [g] = Grad.gradients(T.sum(T.square(y)), [y])
        return { g: g }
      })
      assert.deepStrictEqual(Array.from(out["g"].data), [12, 16])
    }),
  )

  const trace = (build: (x: Tensor) => unknown) => () =>
    Program.make("test", { x: f32s(3) }, ({ x }) => build(x))

  it("names the operation that has no gradient, and what to do", () => {
    const negate = operations.find(({ name }) => name === "neg")!
    const rows = (x: Tensor) => apply({ ...negate, gradient: null }, [x], {})
    const error = catchError(trace((x) => Grad.gradients(T.sum(rows(x)), [x])))
    assert.instanceOf(error, NoGradient)
    assert.strictEqual(error.message, "neg has no gradient. Wrap its input in stopGradient.")
    // Where nothing wanted lies behind it, it does not matter.
    trace((x) => Grad.gradients(T.sum(T.mul(T.stopGradient(rows(x)), x)), [x]))()
  })

  it("wants one float", () => {
    assert.instanceOf(catchError(trace((x) => Grad.gradients(x, [x]))), ShapeError)
    const whole = (x: Tensor) => T.sum(T.cast(x, "i32"))
    assert.instanceOf(catchError(trace((x) => Grad.gradients(whole(x), [x]))), DTypeError)
  })
})

const catchError = (run: () => unknown): Error => {
  try {
    run()
  } catch (error) {
    return error as Error
  }
  return assert.fail("nothing was thrown")
}
