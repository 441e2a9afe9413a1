import * as fc from "fast-check"
import type { DType } from "../dtype.ts"
import { isFloat } from "../dtype.ts"
import { broadcastShapes, sameShape, sizeOf } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import * as T from "../tensor_functions.ts"

/** One step of a random graph: which function, on which of the tensors so far, with what numbers. */
export interface GraphStep {
  readonly operation: number
  readonly operands: ReadonlyArray<number>
  readonly numbers: ReadonlyArray<number>
}

export interface GraphInput {
  readonly shape: ReadonlyArray<number>
  readonly dtype: DType
}

/** A graph as plain data, so that a failure shrinks to a few steps. */
export interface GraphRecipe {
  readonly inputs: ReadonlyArray<GraphInput>
  readonly steps: ReadonlyArray<GraphStep>
  readonly outputs: ReadonlyArray<number>
}

const extent = fc.constantFrom(1, 2, 3, 3, 4, 6)
const largest = 400

const step: fc.Arbitrary<GraphStep> = fc.record({
  operation: fc.nat(10_000),
  // Mostly recent tensors: long chains find more than wide ones.
  operands: fc.array(fc.oneof(fc.nat(3), fc.nat(30)), { minLength: 3, maxLength: 3 }),
  numbers: fc.array(fc.nat(997), { minLength: 4, maxLength: 4 }),
})

export const graphRecipe: fc.Arbitrary<GraphRecipe> = fc.record({
  inputs: fc.array(
    fc.record({
      shape: fc.oneof(
        { weight: 3, arbitrary: fc.constant([3, 3]) },
        { weight: 4, arbitrary: fc.array(extent, { maxLength: 3, size: "max" }) },
      ),
      dtype: fc.constantFrom<DType>("f32", "f32", "f32", "f32", "i32", "u32", "bool"),
    }),
    { minLength: 1, maxLength: 12, size: "max" },
  ),
  steps: fc.array(step, { minLength: 1, maxLength: 50, size: "max" }),
  outputs: fc.array(fc.nat(10), { minLength: 1, maxLength: 4 }),
})

/** What a step may use: tensors picked from the pool by predicate, and its numbers. */
class Draw {
  readonly #pool: ReadonlyArray<Tensor>
  readonly #step: GraphStep
  #operand = 0
  #number = 0
  constructor(pool: ReadonlyArray<Tensor>, step: GraphStep) {
    this.#pool = pool
    this.#step = step
  }
  /** A tensor for which `fits` holds, counted from the newest. */
  tensor(fits: (tensor: Tensor) => boolean = () => true): Tensor | undefined {
    const candidates = this.#pool.filter(fits)
    const back = this.#step.operands[this.#operand++ % this.#step.operands.length]
    return candidates.at(-1 - (back % Math.max(candidates.length, 1)))
  }
  /** A whole number in `[0, limit)`. */
  number(limit: number): number {
    const { numbers } = this.#step
    const salt = Math.floor(this.#number / numbers.length) * 7
    return (numbers[this.#number++ % numbers.length] + salt) % limit
  }
}

type Maker = (draw: Draw) => Tensor | undefined

const float = (x: Tensor): boolean => isFloat(x.dtype)
const whole = (x: Tensor): boolean => x.dtype === "i32" || x.dtype === "u32"
const numeric = (x: Tensor): boolean => x.dtype !== "bool"
const like =
  (x: Tensor) =>
  (y: Tensor): boolean => {
    const shape = broadcastShapes(x.shape, y.shape)
    return x.dtype === y.dtype && shape !== undefined && sizeOf(shape) <= largest
  }

const unary =
  (fits: (x: Tensor) => boolean, f: (x: Tensor) => Tensor): Maker =>
  (draw) => {
    const x = draw.tensor(fits)
    return x && f(x)
  }
const binary =
  (fits: (x: Tensor) => boolean, f: (x: Tensor, y: Tensor) => Tensor): Maker =>
  (draw) => {
    const x = draw.tensor(fits)
    const y = x && draw.tensor(like(x))
    return y && f(x, y)
  }
const fold =
  (f: (x: Tensor, axes: ReadonlyArray<number>, options: T.ReduceOptions) => Tensor): Maker =>
  (draw) => {
    const x = draw.tensor(f === T.mean ? float : numeric)
    const mask = draw.number(8)
    const keepDims = draw.number(2) === 1
    return (
      x &&
      f(
        x,
        x.shape.map((_, axis) => axis).filter((axis) => (mask >> axis) & 1),
        { keepDims },
      )
    )
  }
/** Keeps numbers small, so that no two ways of computing differ by overflow to infinity. */
const tame = (x: Tensor): Tensor => T.mul(T.tanh(T.mul(x, 0.1)), 3)
const flat = (x: Tensor): Tensor => T.reshape(x, [sizeOf(x.shape)])
const axisOf = (draw: Draw, x: Tensor): number => draw.number(Math.max(x.shape.length, 1))
const rowsOf = (draw: Draw, table: Tensor): Tensor | undefined => {
  const rows = draw.tensor((x) => x.dtype === "i32" && sizeOf(x.shape) <= 12)
  return rows && T.rem(rows, table.shape[0] + 1)
}

const product: Maker = (draw) => {
  const x = draw.tensor((y) => y.dtype === "f32" && y.shape.length >= 2)
  if (x === undefined) return undefined
  const y = draw.tensor(
    (z) =>
      z.dtype === "f32" &&
      z.shape.length >= 2 &&
      z.shape.at(-2) === x.shape.at(-1) &&
      broadcastShapes(x.shape.slice(0, -2), z.shape.slice(0, -2)) !== undefined,
  )
  const product = y && T.matmul(x, y)
  return product && sizeOf(product.shape) <= largest ? product : T.matmul(x, T.transpose(x))
}

const makers: ReadonlyArray<Maker> = [
  unary(float, T.neg),
  unary(float, T.exp),
  unary(float, (x) => T.log(T.add(T.abs(x), 0.5))),
  unary(float, T.tanh),
  unary(float, T.erf),
  unary(float, T.sin),
  unary(float, T.square),
  unary(float, (x) => T.sqrt(T.add(T.abs(x), 0.1))),
  unary(float, T.round),
  unary(float, tame),
  unary(float, T.stopGradient),
  unary(float, T.relu),
  unary(float, T.silu),
  unary(float, (x) => T.sub(x, 0)),
  unary(float, (x) => T.mul(x, 1)),
  unary((x) => !float(x), T.not),
  unary(whole, (x) => T.mul(x, 3)),
  binary(numeric, T.add),
  binary(numeric, T.sub),
  binary(numeric, T.mul),
  binary(numeric, T.maximum),
  binary(numeric, T.minimum),
  binary(numeric, T.add),
  binary(numeric, T.mul),
  binary(whole, T.div),
  binary(whole, T.rem),
  binary(whole, T.xor),
  binary(numeric, T.less),
  binary(numeric, T.lessEqual),
  binary(numeric, T.equal),
  binary((x) => x.dtype === "bool", T.or),
  binary(float, (x, y) => T.div(x, T.add(T.square(y), 1))),
  (draw) => {
    const x = draw.tensor(whole)
    return x && T.shl(x, draw.number(32))
  },
  (draw) => {
    const x = draw.tensor(whole)
    return x && T.shr(x, draw.number(32))
  },
  (draw) => {
    const x = draw.tensor(numeric)
    return x && T.add(x, draw.number(7))
  },
  (draw) => {
    const x = draw.tensor(numeric)
    const y = x && draw.tensor(like(x))
    if (y === undefined) return undefined
    const both = broadcastShapes(x!.shape, y.shape)!
    const c = draw.tensor((z) => {
      const shape = broadcastShapes(z.shape, both)
      return z.dtype === "bool" && shape !== undefined && sizeOf(shape) <= largest
    })
    return c && T.where(c, x!, y)
  },
  (draw) => {
    const x = draw.tensor()
    const to = (["f32", "i32", "u32", "bool"] as const)[draw.number(4)]
    return x && T.cast(float(x) && to !== "f32" ? T.minimum(T.maximum(x, 0), 100) : x, to)
  },
  // Movement
  (draw) => {
    const x = draw.tensor()
    if (x === undefined) return undefined
    const size = sizeOf(x.shape)
    const divisors = Array.from({ length: size }, (_, i) => i + 1).filter((d) => size % d === 0)
    const first = divisors[draw.number(divisors.length)]
    const rest = divisors.filter((d) => (size / first) % d === 0)
    return T.reshape(x, [first, rest[draw.number(rest.length)], -1])
  },
  unary(() => true, flat),
  (draw) => {
    const x = draw.tensor((y) => y.shape.length >= 2)
    if (x === undefined) return undefined
    const axes = x.shape.map((_, axis) => axis)
    const turn = 1 + draw.number(x.shape.length - 1)
    return T.permute(x, [...axes.slice(turn), ...axes.slice(0, turn)])
  },
  unary((x) => x.shape.length >= 2, T.transpose),
  (draw) => {
    const x = draw.tensor((y) => sizeOf(y.shape) <= largest / 4)
    return x && T.broadcastTo(x, [1 + draw.number(4), ...x.shape])
  },
  (draw) => {
    const x = draw.tensor((y) => y.shape.length >= 1)
    if (x === undefined) return undefined
    const starts = x.shape.map((e) => draw.number(e))
    const limits = x.shape.map((e, axis) => starts[axis] + 1 + draw.number(e - starts[axis]))
    return T.slice(
      x,
      starts,
      limits,
      x.shape.map(() => 1 + draw.number(2)),
    )
  },
  (draw) => {
    const x = draw.tensor((y) => sizeOf(y.shape) <= largest / 20)
    const value = x?.dtype === "bool" ? draw.number(2) : draw.number(3)
    return (
      x &&
      T.pad(
        x,
        x.shape.map(() => draw.number(3)),
        x.shape.map(() => draw.number(2)),
        value,
      )
    )
  },
  (draw) => {
    const x = draw.tensor((y) => y.shape.length >= 1)
    return x && T.flip(x, [axisOf(draw, x)])
  },
  (draw) => {
    const x = draw.tensor((y) => y.shape.length >= 1 && sizeOf(y.shape) <= largest / 3)
    if (x === undefined) return undefined
    const axis = axisOf(draw, x)
    const fits = (y: Tensor) =>
      y.dtype === x.dtype &&
      sizeOf(y.shape) <= largest / 3 &&
      sameShape(y.shape.toSpliced(axis, 1), x.shape.toSpliced(axis, 1)) &&
      y.shape.length === x.shape.length
    return T.concat([x, draw.tensor(fits)!, draw.tensor(fits)!], axis)
  },
  // Folds, products, scans, indexing
  fold(T.sum),
  fold(T.max),
  fold(T.min),
  fold(T.sum),
  fold(T.mean),
  fold(T.argmax),
  fold(T.argmin),
  (draw) => {
    const x = draw.tensor((y) => float(y) && y.shape.length >= 1)
    return x && T.softmax(x, axisOf(draw, x))
  },
  (draw) => {
    const x = draw.tensor((y) => numeric(y) && y.shape.length >= 1)
    return x && T.cumsum(x, axisOf(draw, x))
  },
  product,
  product,
  product,
  (draw) => {
    const x = draw.tensor((y) => y.dtype === "f32" && y.shape.length >= 2)
    return x && tame(T.matmul(T.transpose(x), T.exp(tame(x))))
  },
  (draw) => {
    const table = draw.tensor(
      (x) => x.shape.length >= 1 && sizeOf(x.shape.slice(1)) <= largest / 12,
    )
    const rows = table && rowsOf(draw, table)
    return rows && T.take(table, rows)
  },
  (draw) => {
    const into = draw.tensor((x) => numeric(x) && x.shape.length >= 1)
    const rows = into && rowsOf(draw, into)
    return rows && T.scatterAdd(into, flat(rows), T.take(into, flat(rows)))
  },
  (draw) => {
    const into = draw.tensor((x) => x.shape.length >= 1)
    const rows = into && rowsOf(draw, into)
    if (rows === undefined) return undefined
    const updates = T.take(T.flip(into!, [0]), flat(rows))
    return T.updateRows(into!, flat(rows), into!.dtype === "f32" ? T.exp(tame(updates)) : updates)
  },
]

/** Builds the graph of a recipe on its input tensors; steps that fit nothing are left out. */
export const buildRecipe = (
  recipe: GraphRecipe,
  inputs: ReadonlyArray<Tensor>,
): ReadonlyArray<Tensor> => {
  const pool: Array<Tensor> = [...inputs, T.iota([4], 0), T.scalar(0.5)]
  for (const step of recipe.steps) {
    const made = makers[step.operation % makers.length](new Draw(pool, step))
    if (made !== undefined) pool.push(made)
  }
  return recipe.outputs.map((back) => pool.at(-1 - (back % pool.length))!)
}
