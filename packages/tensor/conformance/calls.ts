import type { Composite } from "./composites.ts"
import { checkpoint, grad, valueAndGrad } from "../gradient.ts"
import type { ExampleInput } from "../ops/operation.ts"
import * as Program from "../program.ts"
import type { Tensor } from "../tensor.ts"
import * as T from "../tensor_functions.ts"

const drawn = (
  dtype: ExampleInput["dtype"],
  domain: ExampleInput["domain"],
  ...shape: ReadonlyArray<number>
): ExampleInput => ({ shape, dtype, domain })

const f32 = (...shape: ReadonlyArray<number>): ExampleInput => drawn("f32", [-1, 1], ...shape)

/** A gated recurrence over the rows of x [length, width], with weights from outside. */
const recurrence = ([h, w, x]: ReadonlyArray<Tensor>, reverse = false) =>
  Program.scan(
    (carry: Tensor, row: Tensor) => {
      const mixed = T.reshape(T.matmul(T.reshape(carry, [1, -1]), w), carry.shape)
      const next = T.tanh(T.add(mixed, row))
      return { carry: next, y: T.mul(next, carry) }
    },
    { carry: h, over: x, reverse },
  )

const sortInputs = (shape: ReadonlyArray<number>) => [
  drawn("f32", [-1, 1], ...shape),
  // Few different values: equal ones must stay in their order.
  drawn("i32", [-3, 3], ...shape),
  drawn("u32", [0, 5], ...shape),
]

/** Sorting, loops and recomputation: what runs as hand-written kernels or as repeated steps. */
export const callComposites: ReadonlyArray<Composite> = [
  ...[
    [1, 1],
    [3, 7],
    [2, 64],
    [5, 65],
    [2, 300],
  ].map((shape): Composite => ({
    name: `order of ${shape.join("×")}`,
    inputs: sortInputs(shape),
    build: (inputs) =>
      inputs.flatMap((x) => [T.argsort(x), T.argsort(x, -1, { descending: true })]),
    tolerance: 0,
  })),
  {
    name: "sort along the first axis",
    inputs: [f32(9, 2, 3)],
    build: ([x]) => [T.sort(x, 0), T.sort(x, 0, { descending: true })],
    tolerance: 0,
  },
  {
    name: "largest elements, with a gradient",
    inputs: [f32(4, 33)],
    build: ([x]) => {
      const { values, indices } = T.topK(x, 5)
      return [values, indices, grad((x: Tensor) => T.sum(T.square(T.topK(x, 5).values)))(x)]
    },
    tolerance: 1e-6,
  },
  {
    name: "scan",
    inputs: [f32(16), f32(16, 16), f32(9, 16)],
    build: (inputs) => {
      const { carry, ys } = recurrence(inputs)
      return [carry, ys, recurrence(inputs, true).ys]
    },
    tolerance: 1e-5,
  },
  {
    name: "scan, with a gradient",
    inputs: [f32(16), f32(16, 16), f32(9, 16)],
    build: (inputs) => {
      const { value, grads } = valueAndGrad((all: ReadonlyArray<Tensor>) => {
        const { carry, ys } = recurrence(all)
        return T.add(T.sum(T.square(ys)), T.sum(carry))
      })(inputs)
      return [value, ...grads]
    },
    tolerance: 2e-5,
  },
  {
    name: "scan inside scan",
    inputs: [f32(5, 4, 8)],
    build: ([x]) => {
      const { carry, ys } = Program.scan(
        (total: Tensor, rows: Tensor) => {
          const inner = Program.scan(
            (sum: Tensor, row: Tensor, index) => ({
              carry: T.add(T.mul(sum, 0.5), row),
              y: T.mul(row, T.cast(index, "f32")),
            }),
            { carry: total, over: rows },
          )
          return { carry: inner.carry, y: inner.ys }
        },
        { carry: T.zeros([8]), over: x },
      )
      return [carry, ys]
    },
    tolerance: 1e-6,
  },
  {
    name: "checkpointed layers",
    inputs: [f32(8, 16), f32(16, 16)],
    build: (inputs) => {
      const layer = checkpoint(([x, w]: ReadonlyArray<Tensor>) =>
        T.add(x, T.tanh(T.matmul(T.exp(x), w))),
      )
      const { value, grads } = valueAndGrad(([x, w]: ReadonlyArray<Tensor>) =>
        T.mean(layer([layer([layer([x, w]), w]), w])),
      )(inputs)
      return [value, ...grads]
    },
    tolerance: 2e-5,
  },
]
