import { generator } from "./case.ts"
import type { DType, HostData } from "../dtype.ts"
import { allocate, isFloat } from "../dtype.ts"
import type { HostArray } from "../host_array.ts"
import { topological } from "../schedule/graph.ts"
import type { Tensor } from "../tensor.ts"

/** What an `f32` device may give: values in `f64`, and how far it may be from each of them. */
export interface Bounded {
  readonly values: HostArray
  /** Infinity where anything may come out. */
  readonly errors: Float64Array
}

/** Errors of devices add up like this much of the worst that was seen. */
const safety = 4
/** Beyond this an `f32` may be infinite on one device and not on the next. */
const overflow = 1e30

/** Sums and products of eighths: exact in whatever order they are computed. */
const exactOnEighths: ReadonlySet<string> = new Set([
  "add",
  "sub",
  "neg",
  "mul",
  "sum",
  "cumsum",
  "matmul",
  "scatterAdd",
])

/** What functions of whole numbers do between two of them says nothing about those between. */
const isWhole = (dtype: DType): boolean => dtype === "i32" || dtype === "u32"

const isExact = ({ errors }: Bounded): boolean => errors.every((error) => error === 0)
const inEighths = ({ values }: Bounded): boolean =>
  values.data.every((x) => Math.abs(x) <= 256 && Number.isInteger(x * 8))

type Sign = (input: number, element: number) => number

/** Directions in which operands are moved: all ways for few operands, then some at random. */
const directions = (tensor: Tensor, operands: ReadonlyArray<Bounded>): ReadonlyArray<Sign> => {
  const moved = operands.flatMap((operand, i) => (isExact(operand) ? [] : [i]))
  const { lower } = tensor.operation
  if (lower.kind === "view" && moved.length === 1 && isFloat(operands[moved[0]].values.dtype)) {
    return [() => 1]
  }
  const corners = Array.from({ length: 2 ** moved.length }, (_, corner): Sign => {
    return (input) => ((corner >> moved.indexOf(input)) & 1 ? -1 : 1)
  })
  if (lower.kind === "pointwise") {
    // Between corners that are far apart lie waves.
    const far = operands.some(({ errors }) => errors.some((error) => error > 0.3))
    const inner = [0.29, -0.43, 0.61, -0.83].map(
      (factor): Sign =>
        () =>
          factor,
    )
    return far ? [...corners, ...inner] : corners
  }
  const random = generator(tensor.shape.length + moved.length)
  const choices = isFloat(tensor.dtype) ? 4 : 16
  const words = Array.from({ length: 64 }, () => Math.floor(random() * 2 ** 32))
  const some = Array.from({ length: choices }, (_, choice): Sign => {
    return (input, element) =>
      (words[(choice * 7 + input * 3 + (element >> 5)) % 64] >> (element & 31)) & 1 ? 1 : -1
  })
  return [corners[0], corners.at(-1)!, ...some]
}

/** An operand moved by its errors; what holds whole numbers stays whole. */
const move = ({ values, errors }: Bounded, sign: (element: number) => number): HostArray => {
  const { shape, dtype, data } = values
  const moved = isFloat(dtype) ? new Float64Array(data.length) : allocate(dtype, data.length)
  for (let i = 0; i < data.length; i++) {
    if (errors[i] === 0) moved[i] = data[i]
    else if (dtype === "bool") moved[i] = sign(i) > 0 ? 1 : 0
    else moved[i] = data[i] + sign(i) * errors[i]
  }
  return { shape, dtype, data: moved }
}

const largestOf = (values: ArrayLike<number>): number => {
  let largest = 0
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(values[i])
    if (magnitude < overflow && magnitude > largest) largest = magnitude
  }
  return largest
}

/**
 * What rounding errors of a sum are relative to at least, although the sum may be small: the terms,
 * and how far a walk of so many steps leads.
 */
export const termScale = (operands: ReadonlyArray<HostArray>, outputs: number): number =>
  Math.max(
    0,
    ...operands.map(({ data }) => largestOf(data) * Math.sqrt(Math.max(1, data.length / outputs))),
  )

/** How far the results may be, given how far the operands may be. */
const errorsOf = (
  tensor: Tensor,
  operands: ReadonlyArray<Bounded>,
  values: ArrayLike<number>,
): Float64Array => {
  const { operation, attributes, shape, dtype } = tensor
  const errors = new Float64Array(values.length)
  const exact = operands.every(isExact)
  if (!exact) {
    for (const sign of directions(tensor, operands)) {
      const moved = operands.map((operand, input) =>
        move(operand, (element) => sign(input, element)),
      )
      const found = operation.reference(moved, attributes, { shape, dtype })
      for (let i = 0; i < errors.length; i++) {
        const difference = Math.abs(found[i] - values[i])
        errors[i] = Math.max(errors[i], Number.isNaN(difference) ? Infinity : difference)
      }
    }
  }
  const pointwise = operation.lower.kind === "pointwise"
  for (const { errors: before, values: from } of operands) {
    if (!before.includes(Infinity)) continue
    // A whole number that may be anything may also be any index.
    if (!pointwise && isWhole(from.dtype)) return errors.fill(Infinity)
    if (pointwise)
      for (let i = 0; i < errors.length; i++) {
        if (before[i] === Infinity) errors[i] = Infinity
      }
  }
  if (isWhole(dtype)) {
    // A zero has either sign, which only its bits show.
    const from = operation.name === "bitcast" ? operands[0].values : undefined
    const signed = (i: number) => from !== undefined && isFloat(from.dtype) && from.data[i] === 0
    return errors.map((error, i) => (error === 0 && !signed(i) ? 0 : Infinity))
  }
  if (!isFloat(dtype)) return errors
  const adds = operation.lower.kind !== "pointwise" && operation.lower.kind !== "view"
  const terms = adds
    ? termScale(
        operands.map((x) => x.values),
        values.length,
      )
    : 0
  const rounding =
    exact && exactOnEighths.has(operation.name) && operands.every(inEighths)
      ? 0
      : operation.tolerance * Math.max(largestOf(values), terms)
  for (let i = 0; i < errors.length; i++) {
    const value = values[i]
    errors[i] += rounding + Math.abs(value - Math.fround(value))
    if (!(Math.abs(value) + errors[i] < overflow)) errors[i] = Infinity
  }
  return errors
}

/**
 * Evaluates tensors one operation at a time with the op table's references, and estimates how far a
 * device that computes in `f32` may be from each value: errors of operands are carried through the
 * reference itself, which is evaluated again with its operands moved. Where that shows that a
 * comparison or a rounding may go either way, the bound is as wide as the difference it makes.
 */
export const evaluateWithBounds = (
  outputs: ReadonlyArray<Tensor>,
  inputs: ReadonlyArray<HostArray>,
): ReadonlyArray<Bounded> => {
  const done = new Map<Tensor, Bounded>()
  for (const tensor of topological(outputs)) {
    const { operation, attributes, shape, dtype } = tensor
    if (operation.name === "input") {
      const values = inputs[attributes["index"] as number]
      done.set(tensor, { values, errors: new Float64Array(values.data.length) })
      continue
    }
    const operands = tensor.inputs.map((input) => done.get(input)!)
    const found = operation.reference(
      operands.map(({ values }) => values),
      attributes,
      { shape, dtype },
    )
    const data: HostData = isFloat(dtype)
      ? new Float64Array(found.length)
      : allocate(dtype, found.length)
    data.set(found)
    done.set(tensor, {
      values: { shape, dtype, data },
      errors: errorsOf(tensor, operands, data),
    })
  }
  return outputs.map((output) => done.get(output)!)
}

/** What became of a comparison with bounds. */
export interface Agreement {
  readonly elements: number
  /** Elements whose bound is narrow enough to say something. */
  readonly checked: number
  readonly worst: { readonly position: number; readonly error: number; readonly bound: number }
}

/** Compares what a device gave with what it may give; the worst element is the first outside. */
export const agreement = (found: HostArray, { values, errors }: Bounded): Agreement => {
  let checked = 0
  let worst = { position: -1, error: 0, bound: 0 }
  const scale = largestOf(values.data)
  const float = isFloat(values.dtype)
  for (let position = 0; position < errors.length; position++) {
    const [x, y] = [found.data[position], values.data[position]]
    const bound = safety * errors[position]
    if (float ? bound <= 0.01 * scale : bound === 0) checked++
    if (Object.is(x, y)) continue
    const error = Math.abs(x - y)
    if (error <= bound || bound === Infinity) continue
    if (worst.position < 0) worst = { position, error, bound }
  }
  return { elements: errors.length, checked, worst }
}
