import { generator } from "./case.ts"
import type { GraphStep } from "./draw.ts"
import { Draw } from "./draw.ts"
import { makers, updateMakers } from "./makers.ts"
import { allocate, isFloat } from "../dtype.ts"
import type { DType } from "../dtype.ts"
import { gradients } from "../gradient.ts"
import type { HostArray } from "../host_array.ts"
import { sizeOf } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import * as T from "../tensor_functions.ts"

export interface GraphInput {
  readonly shape: ReadonlyArray<number>
  readonly dtype: DType
}

/** A random graph as plain data, so that a failure shrinks to a few steps. */
export interface GraphRecipe {
  /** Decides the values of the inputs. */
  readonly seed: number
  readonly inputs: ReadonlyArray<GraphInput>
  readonly steps: ReadonlyArray<GraphStep>
  readonly outputs: ReadonlyArray<number>
  /** Tensors are not made larger than this. */
  readonly largest: number
  /** The outputs are a loss and its gradient with respect to every input of floats. */
  readonly gradient: boolean
}

/** How random graphs are drawn. */
export interface GraphOptions {
  readonly extents?: ReadonlyArray<number>
  readonly largest?: number
  readonly gradient?: boolean
  readonly steps?: number
}

/** The extents of graphs that are large enough to be shared between threads and workgroups. */
export const largeGraphs: GraphOptions = {
  extents: [1, 3, 8, 64, 65, 130, 300],
  largest: 200_000,
  steps: 16,
}

const small = [1, 2, 3, 3, 4, 6]
const dtypes: ReadonlyArray<DType> = ["f32", "f32", "f32", "f32", "i32", "u32", "bool"]

/** A random graph: the same for the same seed. */
export const randomGraph = (seed: number, options: GraphOptions = {}): GraphRecipe => {
  const { extents = small, largest = 400, gradient = false, steps = 32 } = options
  const random = generator(seed)
  const nat = (limit: number): number => Math.floor(random() * limit)
  const list = <A>(least: number, most: number, make: () => A): ReadonlyArray<A> =>
    Array.from({ length: least + nat(most - least + 1) }, make)
  const square = extents[nat(extents.length)]
  const anyStep = (maker: number): GraphStep => ({
    maker,
    // Mostly recent tensors: long chains find more than wide ones.
    operands: list(3, 3, () => (nat(2) === 0 ? nat(4) : nat(31))),
    numbers: list(4, 4, () => nat(997)),
  })
  const body = list(1, steps, () => anyStep(nat(100_000)))
  // Many end as programs with a cache do: rows of an input are replaced, perhaps in place.
  const tail = nat(3) === 0 ? list(1, 2, () => anyStep(nat(updateMakers))) : []
  return {
    seed: nat(2 ** 31),
    // Squares of one size, so that many things fit together.
    inputs: list(1, 8, () => ({
      shape: nat(7) < 3 ? [square, square] : list(0, 3, () => extents[nat(extents.length)]),
      dtype: dtypes[nat(dtypes.length)],
    })).filter(({ shape }) => sizeOf(shape) <= largest),
    steps: [...body, ...tail],
    outputs: [nat(3), ...list(0, 3, () => nat(10))],
    largest,
    gradient,
  }
}

/**
 * Values of the inputs. Half of the arrays of floats hold eighths, so that there are ties and sums
 * that are exact.
 */
export const graphInputs = ({ seed, inputs }: GraphRecipe): ReadonlyArray<HostArray> => {
  const random = generator(seed)
  return inputs.map(({ shape, dtype }) => {
    const data = allocate(dtype, sizeOf(shape))
    const eighths = random() < 0.5
    for (let i = 0; i < data.length; i++) {
      const x = random()
      if (!isFloat(dtype)) data[i] = Math.floor(x * (dtype === "bool" ? 2 : 6))
      else data[i] = eighths ? Math.floor(x * 33 - 16) / 8 : Math.fround(4 * x - 2)
    }
    return { shape, dtype, data }
  })
}

/** The loss of the outputs and its gradients. */
const differentiated = (
  outputs: ReadonlyArray<Tensor>,
  inputs: ReadonlyArray<Tensor>,
): ReadonlyArray<Tensor> => {
  const loss = outputs
    .filter((x) => isFloat(x.dtype))
    .map((x) => T.sum(T.tanh(x)))
    .reduce((a, b) => T.add(a, b), T.scalar(0))
  const wanted = inputs.filter((x) => isFloat(x.dtype))
  return [loss, ...gradients(loss, wanted)]
}

/** Builds the graph of a recipe on its input tensors; steps that fit nothing are left out. */
export const buildGraph = (
  recipe: GraphRecipe,
  inputs: ReadonlyArray<Tensor>,
): ReadonlyArray<Tensor> => {
  const pool: Array<Tensor> = [...inputs, T.iota([4], 0), T.scalar(0.5)]
  for (const step of recipe.steps) {
    const draw = new Draw(pool, inputs, step, recipe.largest)
    const made = makers[step.maker % makers.length](draw)
    if (made === undefined || sizeOf(made.shape) > recipe.largest) continue
    // What has no gradient is a constant to whoever differentiates.
    const steep = recipe.gradient && made.operation.gradient === null && isFloat(made.dtype)
    pool.push(steep ? T.stopGradient(made) : made)
  }
  const outputs = recipe.outputs.map((back) => pool.at(-1 - (back % pool.length))!)
  return recipe.gradient ? differentiated(outputs, inputs) : outputs
}
