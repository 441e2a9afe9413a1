import { DTypeError, ShapeError } from "../errors.ts"
import type { BinaryFunction } from "../ir/expression.ts"
import * as Scalar from "../ir/evaluate_scalar.ts"
import { broadcastShapes } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import { apply } from "../tensor.ts"
import type { Operation } from "./operation.ts"
import { defineOperation, pointwiseExamples } from "./operation.ts"
import type { Kind, None } from "./pointwise_rules.ts"
import { domains, kinds, none, requireKind, requireSame, tested } from "./pointwise_rules.ts"
import { scalar } from "./source.ts"
import { log, neg, trunc } from "./unary.ts"
import { broadcastTo } from "./views.ts"
import { where } from "./where.ts"

/** A tensor, or a number that takes the dtype of the tensor beside it. */
export type Operand = Tensor | number

interface BinaryOptions {
  readonly summary: string
  readonly kind: Kind
  readonly domain?: readonly [number, number]
  readonly right?: readonly [number, number]
  readonly tolerance?: number
  readonly compares?: boolean
  readonly gradient: Operation<None>["gradient"]
}

const binaryRow = (name: string, fn: BinaryFunction, options: BinaryOptions): Operation<None> =>
  defineOperation<None>({
    name,
    summary: options.summary,
    arity: 2,
    infer: (inputs) => {
      requireKind(name, options.kind, inputs)
      requireSame(name, inputs)
      const { shape, dtype } = inputs[0]
      return { shape, dtype: options.compares ? "bool" : dtype }
    },
    gradient: options.gradient,
    lower: {
      kind: "pointwise",
      value: ({ builder }, [left, right]) => builder.binary(fn, left, right),
    },
    reference: ([x, y]) =>
      Array.from(x.data, (value, i) => Scalar.binary(fn, x.dtype, value, y.data[i])),
    examples: pointwiseExamples(
      none,
      tested(options.kind).map((dtype) => {
        const domain = domains(dtype, options.domain ?? [-3, 3])
        return [
          { dtype, domain },
          { dtype, domain: options.right ?? domain },
        ]
      }),
    ),
    tolerance: options.tolerance ?? 3e-7,
  })

const left = (node: Tensor): Tensor => node.inputs[0]
const right = (node: Tensor): Tensor => node.inputs[1]
/** Splits the gradient of max and min: all of it to the larger, half to each of equals. */
const share = (g: Tensor, wins: Tensor, ties: Tensor): Tensor =>
  where(wins, g, where(ties, mul(g, 0.5), 0))

export const addRow = binaryRow("add", "add", {
  summary: "x + y",
  kind: "number",
  gradient: (g) => [g, g],
})
export const subRow = binaryRow("sub", "subtract", {
  summary: "x − y",
  kind: "number",
  gradient: (g) => [g, neg(g)],
})
export const mulRow = binaryRow("mul", "multiply", {
  summary: "x · y",
  kind: "number",
  gradient: (g, node) => [mul(g, right(node)), mul(g, left(node))],
})
export const divRow = binaryRow("div", "divide", {
  summary: "x / y; integers truncate towards zero",
  kind: "number",
  right: [1, 5],
  tolerance: 5e-7,
  gradient: (g, node) => [div(g, right(node)), neg(div(mul(g, node), right(node)))],
})
export const remRow = binaryRow("rem", "remainder", {
  summary: "remainder of x / y with the sign of x",
  kind: "number",
  right: [2, 7],
  tolerance: 1e-6,
  gradient: (g, node) => [g, neg(mul(g, trunc(div(left(node), right(node)))))],
})
export const maximumRow = binaryRow("maximum", "maximum", {
  summary: "the larger of x and y",
  kind: "number",
  gradient: (g, node) => {
    const ties = equal(left(node), right(node))
    return [
      share(g, less(right(node), left(node)), ties),
      share(g, less(left(node), right(node)), ties),
    ]
  },
})
export const minimumRow = binaryRow("minimum", "minimum", {
  summary: "the smaller of x and y",
  kind: "number",
  gradient: (g, node) => {
    const ties = equal(left(node), right(node))
    return [
      share(g, less(left(node), right(node)), ties),
      share(g, less(right(node), left(node)), ties),
    ]
  },
})
export const powRow = binaryRow("pow", "power", {
  summary: "xʸ for positive x",
  kind: "float",
  domain: [0.2, 3],
  right: [-2, 2],
  tolerance: 5e-6,
  gradient: (g, node) => [
    mul(g, mul(right(node), pow(left(node), sub(right(node), 1)))),
    mul(g, mul(node, log(left(node)))),
  ],
})
const bits = (name: string, fn: BinaryFunction, summary: string) =>
  binaryRow(name, fn, { summary, kind: "bits", gradient: null, tolerance: 0 })
export const andRow = bits("and", "and", "logical or bitwise and")
export const orRow = bits("or", "or", "logical or bitwise or")
export const xorRow = bits("xor", "xor", "logical or bitwise exclusive or")
const shift = (name: string, fn: BinaryFunction, summary: string) =>
  defineOperation<None>({
    ...binaryRow(name, fn, { summary, kind: "integer", gradient: null, tolerance: 0 }),
    infer: (inputs) => {
      requireKind(name, "integer", inputs)
      if (inputs[1].dtype !== "u32") {
        const dtypes = inputs.map((x) => x.dtype)
        throw new DTypeError({ operation: name, dtypes, problem: "the shift count must be u32" })
      }
      requireSame(name, [{ ...inputs[0], dtype: "u32" }, inputs[1]])
      return { shape: inputs[0].shape, dtype: inputs[0].dtype }
    },
    examples: pointwiseExamples(
      none,
      kinds.integer.map((dtype) => [
        { dtype, domain: dtype === "u32" ? [0, 100] : [-100, 100] },
        { dtype: "u32", domain: [0, 31] },
      ]),
    ),
  })
export const shlRow = shift("shl", "shiftLeft", "x · 2ʸ, wrapping")
export const shrRow = shift("shr", "shiftRight", "⌊x / 2ʸ⌋")
const compare = (name: string, fn: BinaryFunction, summary: string, kind: Kind) =>
  binaryRow(name, fn, {
    summary,
    kind,
    gradient: null,
    compares: true,
    tolerance: 0,
    domain: [-2, 2],
  })
export const eqRow = compare("eq", "equal", "x = y", "number")
export const neRow = compare("ne", "notEqual", "x ≠ y", "number")
export const ltRow = compare("lt", "less", "x < y", "number")
export const leRow = compare("le", "lessEqual", "x ≤ y", "number")

/** Makes two operands tensors of one shape: numbers take the other's dtype, shapes broadcast. */
export const align = (operation: string, x: Operand, y: Operand): readonly [Tensor, Tensor] => {
  if (typeof x === "number") {
    if (typeof y === "number") return [scalar(x), scalar(y)]
    return align(operation, scalar(x, y.dtype), y)
  }
  if (typeof y === "number") return align(operation, x, scalar(y, x.dtype))
  const shape = broadcastShapes(x.shape, y.shape)
  if (shape === undefined) {
    const shapes = [x.shape, y.shape]
    throw new ShapeError({ operation, shapes, problem: "shapes do not broadcast together" })
  }
  return [broadcastTo(x, shape), broadcastTo(y, shape)]
}

const binary = (row: Operation<None>) => (x: Operand, y: Operand) =>
  apply(row, align(row.name, x, y), none)

/** x + y, broadcast. */
export const add = binary(addRow)
/** x − y, broadcast. */
export const sub = binary(subRow)
/** x · y, broadcast. */
export const mul = binary(mulRow)
/** x / y, broadcast; integers truncate towards zero. */
export const div = binary(divRow)
/** Remainder of x / y with the sign of x, broadcast. */
export const rem = binary(remRow)
/** The larger of x and y, broadcast. */
export const maximum = binary(maximumRow)
/** The smaller of x and y, broadcast. */
export const minimum = binary(minimumRow)
/** xʸ for positive x, broadcast. */
export const pow = binary(powRow)
/** Logical and of `bool`, bitwise and of integers. */
export const and = binary(andRow)
/** Logical or of `bool`, bitwise or of integers. */
export const or = binary(orRow)
/** Exclusive or. */
export const xor = binary(xorRow)
/** x shifted left by y bits. */
export const shl = (x: Tensor, y: Operand): Tensor =>
  apply(shlRow, align("shl", x, typeof y === "number" ? scalar(y, "u32") : y), none)
/** x shifted right by y bits; the sign of `i32` is kept. */
export const shr = (x: Tensor, y: Operand): Tensor =>
  apply(shrRow, align("shr", x, typeof y === "number" ? scalar(y, "u32") : y), none)
/** x = y, as `bool`. */
export const equal = binary(eqRow)
/** x ≠ y, as `bool`. */
export const notEqual = binary(neRow)
/** x < y, as `bool`. */
export const less = binary(ltRow)
/** x ≤ y, as `bool`. */
export const lessEqual = binary(leRow)
/** x > y, as `bool`. */
export const greater = (x: Operand, y: Operand): Tensor => less(y, x)
/** x ≥ y, as `bool`. */
export const greaterEqual = (x: Operand, y: Operand): Tensor => lessEqual(y, x)

export const binaryRows: ReadonlyArray<Operation<None>> = [
  addRow,
  subRow,
  mulRow,
  divRow,
  remRow,
  maximumRow,
  minimumRow,
  powRow,
  andRow,
  orRow,
  xorRow,
  shlRow,
  shrRow,
  eqRow,
  neRow,
  ltRow,
  leRow,
]
