import type { Draw } from "./draw.ts"
import { confined, flat, float, numeric, ranked, refilled, tame, whole } from "./draw.ts"
import { isFloat } from "../dtype.ts"
import * as HostArray from "../host_array.ts"
import type { Attributes, Example, Operation } from "../ops/operation.ts"
import { operations } from "../ops/table.ts"
import * as Random from "../random.ts"
import type { Shape } from "../shape.ts"
import { broadcastShapes, sameShape, sizeOf } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import { apply } from "../tensor.ts"
import * as T from "../tensor_functions.ts"

/** One way to make a tensor of the tensors there are; `undefined` where none of them fits. */
export type Maker = (draw: Draw) => Tensor | undefined

type AnyExample = Example<Attributes>

const everywhere = ({ inputs }: AnyExample): boolean =>
  inputs.every(({ dtype }) => dtype !== "f64" && dtype !== "f16")

/** Examples of a pointwise row differ by shape too; one of each signature is enough. */
const signatures = (row: Operation): ReadonlyArray<AnyExample> => {
  const found = new Map<string, AnyExample>()
  for (const example of row.examples.filter(everywhere)) {
    const dtypes = example.inputs.map((input) => input.dtype)
    found.set(JSON.stringify([dtypes, example.attributes]), example)
  }
  return [...found.values()]
}

/** Wide domains are those of functions that take any number. */
const narrow = ([low, high]: readonly [number, number]): boolean => low > -2 || high < 2

/** A pointwise row on tensors that broadcast together. */
const pointwise = (row: Operation): Maker => {
  const variants = signatures(row)
  return (draw) => {
    const { inputs, attributes } = variants[draw.number(variants.length)]
    let shape: Shape = []
    const operands: Array<Tensor> = []
    for (const [i, { dtype, domain }] of inputs.entries()) {
      const fitting = i === 0 ? draw.tensor((x) => x.dtype === dtype) : draw.beside(shape, dtype)
      const other = fitting ?? draw.tensor((x) => broadcastShapes(x.shape, shape) !== undefined)
      if (other === undefined) return undefined
      const restricted = isFloat(dtype) ? narrow(domain) : dtype !== other.dtype
      const operand = restricted ? confined(other, dtype, domain) : other
      const together = broadcastShapes(shape, operand.shape)
      if (together === undefined || sizeOf(together) > draw.largest) return undefined
      shape = together
      operands.push(operand)
    }
    return apply(
      row,
      operands.map((x) => T.broadcastTo(x, shape)),
      attributes,
    )
  }
}

const dtypesOf = (row: Operation): ReadonlySet<string> =>
  new Set(row.examples.map(({ inputs }) => inputs[0].dtype))

/** A row that folds axes of one tensor. */
const reduction = (row: Operation): Maker => {
  const dtypes = dtypesOf(row)
  return (draw) => {
    const x = draw.tensor((y) => dtypes.has(y.dtype))
    if (x === undefined) return undefined
    const axes = draw.axes(x)
    // Products of many numbers overflow.
    const near = row.name === "prod" && float(x) ? T.add(T.mul(T.tanh(x), 0.3), 1) : x
    const folded = apply(row, [near], { axes })
    const kept = x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent))
    return draw.number(2) === 1 ? T.reshape(folded, kept) : folded
  }
}

/** A row that runs along the last axis of one tensor. */
const scan = (row: Operation): Maker => {
  const dtypes = dtypesOf(row)
  return (draw) => {
    const x = draw.tensor((y) => y.shape.length > 0 && dtypes.has(y.dtype))
    if (x === undefined) return undefined
    const axis = draw.axis(x)
    const axes = x.shape.map((_, i) => i)
    ;[axes[axis], axes[axes.length - 1]] = [axes.length - 1, axis]
    return T.permute(apply(row, [T.permute(x, axes)], {}), axes)
  }
}

/** Any row: one of its examples, on tensors bent into the shapes and domains it asks for. */
const example = (row: Operation): Maker => {
  const examples = row.examples.filter(
    (one) => everywhere(one) && one.inputs.every(({ shape }) => sizeOf(shape) <= 400),
  )
  return (draw) => {
    if (examples.length === 0) return undefined
    const { inputs, attributes } = examples[draw.number(examples.length)]
    const operands = inputs.map(({ shape, dtype, domain }) => {
      const x = draw.tensor((y) => y.dtype === dtype) ?? draw.tensor()
      return x && refilled(confined(x, dtype, domain), shape)
    })
    if (operands.some((x) => x === undefined)) return undefined
    return apply(row, operands as Array<Tensor>, attributes)
  }
}

const alone = (row: Operation): boolean => row.arity === 1
const onlyAxes = (row: Operation): boolean =>
  row.examples.every(({ attributes }) => Object.keys(attributes).join() === "axes")
const plainAttributes = (row: Operation): boolean =>
  row.examples.every(({ attributes }) => Object.keys(attributes).length === 0)

/** The makers of a row, by what it lowers to. */
const ofRow = (row: Operation): ReadonlyArray<Maker> => {
  if (!row.examples.some(everywhere)) return []
  if (row.lower.kind === "pointwise") return [pointwise(row)]
  if (row.lower.kind === "reduce" && onlyAxes(row)) return [reduction(row), example(row)]
  if (row.lower.kind === "scan" && alone(row) && plainAttributes(row)) {
    return [scan(row), example(row)]
  }
  return [example(row)]
}

const unary =
  (fits: (x: Tensor) => boolean, f: (x: Tensor) => Tensor): Maker =>
  (draw) => {
    const x = draw.tensor(fits)
    return x && f(x)
  }

const rowsOf = (draw: Draw, table: Tensor): Tensor | undefined => {
  const rows = draw.tensor((x) => x.dtype === "i32" && sizeOf(x.shape) <= 12)
  return rows && T.rem(rows, table.shape[0] + 1)
}

/** What rows are written into: every other time an input, which may then be updated in place. */
const target = (draw: Draw, fits: (x: Tensor) => boolean): Tensor | undefined => {
  const own = draw.number(2) === 0 ? draw.tensor(fits, draw.inputs) : undefined
  return own ?? draw.tensor(fits)
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
  if (product && sizeOf(product.shape) <= draw.largest) return product
  return x.shape.at(-2)! <= 70 ? T.matmul(x, T.transpose(x)) : undefined
}

/** Every way to move elements. */
const movements: ReadonlyArray<Maker> = [
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
    const x = draw.tensor(ranked(2))
    if (x === undefined) return undefined
    const axes = x.shape.map((_, axis) => axis)
    const turn = 1 + draw.number(x.shape.length - 1)
    return T.permute(x, [...axes.slice(turn), ...axes.slice(0, turn)])
  },
  unary(ranked(2), T.transpose),
  (draw) => {
    const x = draw.tensor((y) => sizeOf(y.shape) <= draw.largest / 4)
    return x && T.broadcastTo(x, [1 + draw.number(4), ...x.shape])
  },
  (draw) => {
    const x = draw.tensor(ranked(1))
    if (x === undefined) return undefined
    const starts = x.shape.map((extent) => draw.number(extent))
    const limits = x.shape.map(
      (extent, axis) => starts[axis] + 1 + draw.number(extent - starts[axis]),
    )
    return T.slice(
      x,
      starts,
      limits,
      x.shape.map(() => 1 + draw.number(2)),
    )
  },
  (draw) => {
    const x = draw.tensor((y) => sizeOf(y.shape) <= draw.largest / 20)
    if (x === undefined) return undefined
    const before = x.shape.map(() => draw.number(3))
    const after = x.shape.map(() => draw.number(2))
    return T.pad(x, before, after, draw.number(x.dtype === "bool" ? 2 : 3))
  },
  (draw) => {
    const x = draw.tensor(ranked(1))
    return x && T.flip(x, [draw.axis(x)])
  },
  (draw) => {
    const x = draw.tensor((y) => y.shape.length >= 1 && sizeOf(y.shape) <= draw.largest / 3)
    if (x === undefined) return undefined
    const axis = draw.axis(x)
    const fits = (y: Tensor) =>
      y.dtype === x.dtype &&
      sizeOf(y.shape) <= draw.largest / 3 &&
      sameShape(y.shape.toSpliced(axis, 1), x.shape.toSpliced(axis, 1)) &&
      y.shape.length === x.shape.length
    return T.concat([x, draw.tensor(fits)!, draw.tensor(fits)!], axis)
  },
  (draw) => {
    const table = draw.tensor(
      (x) => x.shape.length >= 1 && sizeOf(x.shape.slice(1)) <= draw.largest / 12,
    )
    const rows = table && rowsOf(draw, table)
    return rows && T.take(table, rows)
  },
]

/** Rows written into a tensor, from others of its rows or from another tensor. */
const update =
  (fits: (x: Tensor) => boolean, write: typeof T.scatterAdd): Maker =>
  (draw) => {
    const into = target(draw, (x) => fits(x) && x.shape.length >= 1)
    const indices = into && rowsOf(draw, into)
    if (indices === undefined) return undefined
    const rows = flat(indices)
    const other = draw.tensor((x) => x.dtype === into!.dtype && x !== into)
    const shape = [...rows.shape, ...into!.shape.slice(1)]
    const values =
      draw.number(3) === 0 || other === undefined
        ? T.take(T.flip(into!, [0]), rows)
        : refilled(other, shape)
    return write(into!, rows, into!.dtype === "f32" ? T.exp(tame(values)) : values)
  }

const updates: ReadonlyArray<Maker> = [
  update(numeric, T.scatterAdd),
  update(() => true, T.updateRows),
  update((x) => x.dtype === "f32", T.updateRows),
]

/** What models are made of: shapes of graphs that the scheduler knows how to fuse. */
const composites: ReadonlyArray<Maker> = [
  unary(float, tame),
  unary(float, T.relu),
  unary(float, T.silu),
  unary(float, T.gelu),
  unary(float, T.square),
  unary(float, (x) => T.log(T.add(T.abs(x), 0.5))),
  unary(float, (x) => T.rsqrt(T.add(T.square(x), 0.1))),
  unary(float, (x) => T.sub(x, 0)),
  unary(float, (x) => T.mul(x, 1)),
  unary(whole, (x) => T.mul(x, 3)),
  (draw) => {
    const x = draw.tensor(float)
    const y = x && draw.beside(x.shape, x.dtype)
    return y && T.div(x, T.add(T.square(y), 1))
  },
  (draw) => {
    const x = draw.tensor(numeric)
    return x && T.add(x, draw.number(7))
  },
  (draw) => {
    const x = draw.tensor(whole)
    return x && (draw.number(2) === 0 ? T.shl(x, draw.number(40)) : T.shr(x, draw.number(40)))
  },
  (draw) => {
    const x = draw.tensor()
    const to = (["f32", "i32", "u32", "bool"] as const)[draw.number(4)]
    return x && T.cast(float(x) && to !== "f32" ? T.minimum(T.maximum(x, 0), 100) : x, to)
  },
  (draw) => {
    const x = draw.tensor((y) => float(y) && y.shape.length >= 1)
    return x && T.softmax(x, draw.axis(x))
  },
  (draw) => {
    const x = draw.tensor((y) => float(y) && y.shape.length >= 1)
    return x && T.logSumExp(tame(x), draw.axis(x))
  },
  (draw) => {
    const x = draw.tensor((y) => float(y) && y.shape.length >= 1)
    if (x === undefined) return undefined
    const axis = [draw.axis(x)]
    const centred = T.sub(x, T.mean(x, axis, { keepDims: true }))
    const variance = T.mean(T.square(centred), axis, { keepDims: true })
    return T.div(centred, T.sqrt(T.add(variance, 0.1)))
  },
  (draw) => {
    const x = draw.tensor((y) => y.dtype === "i32" && sizeOf(y.shape) <= draw.largest / 6)
    return x && T.oneHot(T.rem(x, 6), 5)
  },
  (draw) => {
    const x = draw.tensor((y) => y.dtype === "f32" && y.shape.length >= 2)
    return x && x.shape.at(-1)! <= 70 ? tame(T.matmul(T.transpose(x), T.exp(tame(x)))) : undefined
  },
  (draw) => {
    const values = Array.from({ length: 1 + draw.number(6) }, () => draw.number(9) - 4)
    return T.fromHost(HostArray.make([values.length], values))
  },
  (draw) => Random.uniform(draw.number(97), [1 + draw.number(5), 1 + draw.number(4)], -1, 1),
  (draw) => {
    const words = draw.tensor((x) => x.dtype === "u32" && sizeOf(x.shape) >= 2)
    return words && Random.bits(T.slice(flat(words), [0], [2]), [1 + draw.number(7)])
  },
]

/** Every way to go on with a graph; rows that are added to the op table are among them. */
export const makers: ReadonlyArray<Maker> = [
  ...updates,
  ...operations.flatMap(ofRow),
  ...movements,
  ...movements,
  ...composites,
  ...updates,
  ...Array.from({ length: 4 }, () => product),
]
/** So many of the makers, from the first on, write rows into a tensor. */
export const updateMakers = updates.length
