import { isFloat } from "../dtype.ts"
import type { DType } from "../dtype.ts"
import { broadcastShapes, sameShape, sizeOf } from "../shape.ts"
import type { Shape } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import * as T from "../tensor_functions.ts"

/** One step of a random graph: which maker, on which of the tensors so far, with what numbers. */
export interface GraphStep {
  readonly maker: number
  readonly operands: ReadonlyArray<number>
  readonly numbers: ReadonlyArray<number>
}

type Fits = (tensor: Tensor) => boolean

/** What a step may use: tensors picked from the pool by predicate, and its numbers. */
export class Draw {
  readonly largest: number
  /** The graph's inputs: what an update in place has to be an update of. */
  readonly inputs: ReadonlyArray<Tensor>
  readonly #pool: ReadonlyArray<Tensor>
  readonly #step: GraphStep
  #operand = 0
  #number = 0

  constructor(
    pool: ReadonlyArray<Tensor>,
    inputs: ReadonlyArray<Tensor>,
    step: GraphStep,
    largest: number,
  ) {
    this.#pool = pool
    this.inputs = inputs
    this.#step = step
    this.largest = largest
  }

  /** A tensor for which `fits` holds, counted from the newest. */
  tensor(fits: Fits = () => true, from = this.#pool): Tensor | undefined {
    const candidates = from.filter(fits)
    const back = this.#step.operands[this.#operand++ % this.#step.operands.length]
    return candidates.at(-1 - (back % Math.max(candidates.length, 1)))
  }

  /** A whole number in `[0, limit)`. */
  number(limit: number): number {
    const { numbers } = this.#step
    const salt = Math.floor(this.#number / numbers.length) * 7
    return (numbers[this.#number++ % numbers.length] + salt) % limit
  }

  axis(x: Tensor): number {
    return this.number(Math.max(x.shape.length, 1))
  }

  /** Some of the axes, perhaps none. */
  axes(x: Tensor): ReadonlyArray<number> {
    const mask = this.number(2 ** x.shape.length)
    return x.shape.map((_, axis) => axis).filter((axis) => (mask >> axis) & 1)
  }

  /** A tensor that broadcasts with `shape` to something that is not too large. */
  beside(shape: Shape, dtype: DType): Tensor | undefined {
    return this.tensor((x) => {
      const together = broadcastShapes(x.shape, shape)
      return x.dtype === dtype && together !== undefined && sizeOf(together) <= this.largest
    })
  }
}

export const float: Fits = (x) => isFloat(x.dtype)
export const whole: Fits = (x) => x.dtype === "i32" || x.dtype === "u32"
export const numeric: Fits = (x) => x.dtype !== "bool"
export const ranked =
  (rank: number): Fits =>
  (x) =>
    x.shape.length >= rank

export const flat = (x: Tensor): Tensor => T.reshape(x, [sizeOf(x.shape)])

/** Keeps numbers small, so that no two ways of computing differ by overflow to infinity. */
export const tame = (x: Tensor): Tensor => T.mul(T.tanh(T.mul(x, 0.1)), 3)

/** A tensor as one of another dtype with values in `domain`. */
export const confined = (
  x: Tensor,
  dtype: DType,
  [low, high]: readonly [number, number],
): Tensor => {
  if (dtype === "bool") return x.dtype === "bool" ? x : T.notEqual(x, 0)
  const values = x.dtype === "bool" ? T.cast(x, dtype) : x
  if (values.dtype === dtype) return T.clip(values, low, high)
  // Confined first where only then it fits the dtype, afterwards where only then the domain does.
  const least = values.dtype === "u32" ? Math.max(low, 0) : low
  return T.clip(T.cast(T.clip(values, least, Math.max(high, least)), dtype), low, high)
}

/** A tensor of any shape as one of the shape asked for, its elements repeated in order. */
export const refilled = (x: Tensor, shape: Shape): Tensor => {
  if (sameShape(x.shape, shape)) return x
  const [from, to] = [sizeOf(x.shape), sizeOf(shape)]
  if (from === to) return T.reshape(x, shape)
  if (from > to) return T.reshape(T.slice(flat(x), [0], [to]), shape)
  return T.reshape(T.take(flat(x), T.rem(T.iota([to], 0), from)), shape)
}
