import type { DType } from "../dtype.ts"
import { isFloat } from "../dtype.ts"
import { DTypeError, ShapeError } from "../errors.ts"
import type { BinaryFunction, UnaryFunction } from "../ir/expression.ts"
import * as Scalar from "../ir/evaluate_scalar.ts"
import { broadcastShapes, sameShape } from "../shape.ts"
import type { TensorType } from "../tensor.ts"
import { apply, Tensor } from "../tensor.ts"
import { broadcastTo } from "./movement.ts"
import type { Operation } from "./operation.ts"
import { defineOperation, pointwiseExamples } from "./operation.ts"
import { scalar } from "./source.ts"

/** A tensor, or a number that takes the dtype of the tensor beside it. */
export type Operand = Tensor | number

type None = Record<string, never>
const none: None = {}

type Kind = "float" | "signed" | "integer" | "number" | "bool" | "bits"
const kinds: Record<Kind, ReadonlyArray<DType>> = {
  float: ["f32", "f16", "f64"],
  signed: ["f32", "f16", "f64", "i32"],
  integer: ["i32", "u32"],
  number: ["f32", "f16", "f64", "i32", "u32"],
  bool: ["bool"],
  bits: ["i32", "u32", "bool"],
}

const requireKind = (operation: string, kind: Kind, inputs: ReadonlyArray<TensorType>): void => {
  if (inputs.every((input) => kinds[kind].includes(input.dtype))) return
  const dtypes = inputs.map((input) => input.dtype)
  throw new DTypeError({ operation, dtypes, problem: `needs ${kinds[kind].join(", ")}` })
}

const requireSame = (operation: string, inputs: ReadonlyArray<TensorType>): void => {
  const [first, ...rest] = inputs
  if (!rest.every((input) => sameShape(input.shape, first!.shape))) {
    const shapes = inputs.map((input) => input.shape)
    throw new ShapeError({ operation, shapes, problem: "shapes must be equal" })
  }
  if (!rest.every((input) => input.dtype === first!.dtype)) {
    const dtypes = inputs.map((input) => input.dtype)
    throw new DTypeError({ operation, dtypes, problem: "dtypes must be equal; use cast" })
  }
}

/** What the random tests draw for each dtype unless a row says otherwise. */
const domains = (dtype: DType, float: readonly [number, number]): readonly [number, number] =>
  isFloat(dtype) ? float : dtype === "bool" ? [0, 1] : dtype === "u32" ? [0, 9] : [-9, 9]

const tested = (kind: Kind): ReadonlyArray<DType> =>
  kinds[kind].filter((dtype) => dtype !== "f16" && dtype !== "f64")

// --- unary ------------------------------------------------------------------------------------

interface UnaryOptions {
  readonly summary: string
  readonly kind: Kind
  readonly domain?: readonly [number, number]
  readonly tolerance?: number
  readonly gradient: Operation<None>["gradient"]
}

const unaryRow = (name: string, fn: UnaryFunction, options: UnaryOptions): Operation<None> =>
  defineOperation<None>({
    name,
    summary: options.summary,
    arity: 1,
    infer: (inputs) => {
      requireKind(name, options.kind, inputs)
      return { shape: inputs[0]!.shape, dtype: inputs[0]!.dtype }
    },
    gradient: options.gradient,
    lower: {
      kind: "pointwise",
      value: ({ builder }, [operand]) => builder.unary(fn, operand!),
    },
    reference: ([x]) => Array.from(x!.data, (value) => Scalar.unary(fn, x!.dtype, value)),
    examples: pointwiseExamples(
      none,
      tested(options.kind).map((dtype) => [
        { dtype, domain: domains(dtype, options.domain ?? [-3, 3]) },
      ]),
    ),
    tolerance: options.tolerance ?? 0,
  })

const input = (node: Tensor): Tensor => node.inputs[0]!
const flat = { gradient: () => [undefined] }

export const negRow = unaryRow("neg", "negate", {
  summary: "−x",
  kind: "signed",
  gradient: (g) => [neg(g)],
})
export const absRow = unaryRow("abs", "absolute", {
  summary: "|x|",
  kind: "signed",
  gradient: (g, node) => [mul(g, sign(input(node)))],
})
export const signRow = unaryRow("sign", "sign", { summary: "−1, 0 or 1", kind: "float", ...flat })
export const floorRow = unaryRow("floor", "floor", { summary: "⌊x⌋", kind: "float", ...flat })
export const ceilRow = unaryRow("ceil", "ceil", { summary: "⌈x⌉", kind: "float", ...flat })
export const roundRow = unaryRow("round", "round", {
  summary: "nearest whole number, halves to even",
  kind: "float",
  ...flat,
})
export const truncRow = unaryRow("trunc", "truncate", {
  summary: "towards zero",
  kind: "float",
  ...flat,
})
export const sqrtRow = unaryRow("sqrt", "sqrt", {
  summary: "√x",
  kind: "float",
  domain: [0.1, 9],
  tolerance: 3e-7,
  gradient: (g, node) => [div(mul(g, 0.5), node)],
})
export const expRow = unaryRow("exp", "exp", {
  summary: "eˣ",
  kind: "float",
  tolerance: 1e-6,
  gradient: (g, node) => [mul(g, node)],
})
export const logRow = unaryRow("log", "log", {
  summary: "natural logarithm",
  kind: "float",
  domain: [0.05, 9],
  tolerance: 1e-6,
  gradient: (g, node) => [div(g, input(node))],
})
export const sinRow = unaryRow("sin", "sin", {
  summary: "sine",
  kind: "float",
  tolerance: 2e-6,
  gradient: (g, node) => [mul(g, cos(input(node)))],
})
export const cosRow = unaryRow("cos", "cos", {
  summary: "cosine",
  kind: "float",
  tolerance: 2e-6,
  gradient: (g, node) => [neg(mul(g, sin(input(node))))],
})
export const tanhRow = unaryRow("tanh", "tanh", {
  summary: "hyperbolic tangent",
  kind: "float",
  tolerance: 1e-6,
  gradient: (g, node) => [mul(g, sub(1, mul(node, node)))],
})
export const erfRow = unaryRow("erf", "erf", {
  summary: "error function",
  kind: "float",
  tolerance: 1e-6,
  gradient: (g, node) => {
    const x = input(node)
    return [mul(mul(g, exp(neg(mul(x, x)))), 2 / Math.sqrt(Math.PI))]
  },
})
export const notRow = unaryRow("not", "not", {
  summary: "logical not of bool, bitwise not of integers",
  kind: "bits",
  gradient: null,
})

const unary = (row: Operation<None>) => (x: Tensor) => apply(row, [x], none)

/** −x, elementwise. */
export const neg = unary(negRow)
/** |x|, elementwise. */
export const abs = unary(absRow)
/** −1, 0 or 1, elementwise. */
export const sign = unary(signRow)
/** Largest whole number ≤ x, elementwise. */
export const floor = unary(floorRow)
/** Smallest whole number ≥ x, elementwise. */
export const ceil = unary(ceilRow)
/** Nearest whole number, halves to even, elementwise. */
export const round = unary(roundRow)
/** x without its fraction, elementwise. */
export const trunc = unary(truncRow)
/** √x, elementwise. */
export const sqrt = unary(sqrtRow)
/** eˣ, elementwise. */
export const exp = unary(expRow)
/** Natural logarithm, elementwise. */
export const log = unary(logRow)
/** Sine of radians, elementwise. */
export const sin = unary(sinRow)
/** Cosine of radians, elementwise. */
export const cos = unary(cosRow)
/** Hyperbolic tangent, elementwise. */
export const tanh = unary(tanhRow)
/** Error function, elementwise. */
export const erf = unary(erfRow)
/** Logical not of `bool`, bitwise not of integers. */
export const not = unary(notRow)

// --- binary -----------------------------------------------------------------------------------

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
      const { shape, dtype } = inputs[0]!
      return { shape, dtype: options.compares ? "bool" : dtype }
    },
    gradient: options.gradient,
    lower: {
      kind: "pointwise",
      value: ({ builder }, [left, right]) => builder.binary(fn, left!, right!),
    },
    reference: ([x, y]) =>
      Array.from(x!.data, (value, i) => Scalar.binary(fn, x!.dtype, value, y!.data[i]!)),
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

const left = (node: Tensor): Tensor => node.inputs[0]!
const right = (node: Tensor): Tensor => node.inputs[1]!
/** Splits the gradient of max and min: all of it to the larger, half to each of equals. */
const share = (g: Tensor, wins: Tensor, ties: Tensor): Tensor =>
  where(wins, g, where(ties, mul(g, 0.5), mul(g, 0)))

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
      if (inputs[1]!.dtype !== "u32") {
        const dtypes = inputs.map((x) => x.dtype)
        throw new DTypeError({ operation: name, dtypes, problem: "the shift count must be u32" })
      }
      requireSame(name, [{ ...inputs[0]!, dtype: "u32" }, inputs[1]!])
      return { shape: inputs[0]!.shape, dtype: inputs[0]!.dtype }
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
const align = (operation: string, x: Operand, y: Operand): readonly [Tensor, Tensor] => {
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

// --- the rest ---------------------------------------------------------------------------------

export const whereRow = defineOperation<None>({
  name: "where",
  summary: "y where the condition holds, z elsewhere",
  arity: 3,
  infer: (inputs) => {
    requireKind("where", "bool", [inputs[0]!])
    requireSame("where", [{ ...inputs[0]!, dtype: inputs[1]!.dtype }, inputs[1]!, inputs[2]!])
    return { shape: inputs[1]!.shape, dtype: inputs[1]!.dtype }
  },
  gradient: (g, node) => {
    const zero = mul(g, 0)
    return [undefined, where(node.inputs[0]!, g, zero), where(node.inputs[0]!, zero, g)]
  },
  lower: {
    kind: "pointwise",
    value: ({ builder }, [condition, yes, no]) => builder.select(condition!, yes!, no!),
  },
  reference: ([c, y, z]) => Array.from(c!.data, (on, i) => (on === 0 ? z!.data[i]! : y!.data[i]!)),
  examples: pointwiseExamples(
    none,
    (["f32", "i32", "u32", "bool"] as const).map((dtype) => [
      { dtype: "bool" as const, domain: [0, 1] as const },
      { dtype, domain: domains(dtype, [-3, 3]) },
      { dtype, domain: domains(dtype, [-3, 3]) },
    ]),
  ),
  tolerance: 0,
})

/** `yes` where `condition` holds, `no` elsewhere; everything broadcasts. */
export const where = (condition: Tensor, yes: Operand, no: Operand): Tensor => {
  const [y, n] = align("where", yes, no)
  const shape = broadcastShapes(condition.shape, y.shape)
  if (shape === undefined) {
    const shapes = [condition.shape, y.shape]
    throw new ShapeError({ operation: "where", shapes, problem: "shapes do not broadcast together" })
  }
  return apply(whereRow, [condition, y, n].map((x) => broadcastTo(x, shape)), none)
}

const convertExamples = (pairs: ReadonlyArray<readonly [DType, DType]>) =>
  pairs.flatMap(([from, to]) =>
    pointwiseExamples({ dtype: to }, [[{ dtype: from, domain: domains(from, [-9, 9]) }]]),
  )

export const castRow = defineOperation<{ readonly dtype: DType }>({
  name: "cast",
  summary: "the same value in another dtype; float to integer truncates and saturates",
  arity: 1,
  infer: ([x], { dtype }) => ({ shape: x!.shape, dtype }),
  gradient: (g, node, { dtype }) =>
    isFloat(dtype) && isFloat(input(node).dtype) ? [cast(g, input(node).dtype)] : [undefined],
  lower: {
    kind: "pointwise",
    value: ({ builder, attributes }, [x]) => builder.cast(x!, attributes.dtype),
  },
  reference: ([x], { dtype }) =>
    Array.from(x!.data, (value) => Scalar.cast(x!.dtype, dtype, value)),
  examples: convertExamples([
    ["f32", "i32"],
    ["f32", "u32"],
    ["f32", "bool"],
    ["i32", "f32"],
    ["u32", "f32"],
    ["bool", "f32"],
    ["i32", "u32"],
    ["u32", "i32"],
    ["bool", "i32"],
    ["i32", "bool"],
  ]),
  tolerance: 0,
})
/** The same values in another dtype; float to integer truncates and saturates. */
export const cast = (x: Tensor, dtype: DType): Tensor =>
  x.dtype === dtype ? x : apply(castRow, [x], { dtype })

export const bitcastRow = defineOperation<{ readonly dtype: DType }>({
  name: "bitcast",
  summary: "the same 32 bits read as another dtype",
  arity: 1,
  infer: ([x], { dtype }) => {
    const allowed: ReadonlyArray<DType> = ["f32", "i32", "u32"]
    if (!allowed.includes(x!.dtype) || !allowed.includes(dtype)) {
      const dtypes = [x!.dtype, dtype]
      throw new DTypeError({ operation: "bitcast", dtypes, problem: "needs 32-bit numbers" })
    }
    return { shape: x!.shape, dtype }
  },
  gradient: null,
  lower: {
    kind: "pointwise",
    value: ({ builder, attributes }, [x]) => builder.bitcast(x!, attributes.dtype),
  },
  reference: ([x], { dtype }) =>
    Array.from(x!.data, (value) => Scalar.bitcast(x!.dtype, dtype, value)),
  examples: convertExamples([
    ["f32", "u32"],
    ["f32", "i32"],
    ["i32", "u32"],
    ["u32", "i32"],
  ]),
  tolerance: 0,
})
/** The same 32 bits read as another dtype. */
export const bitcast = (x: Tensor, dtype: DType): Tensor =>
  x.dtype === dtype ? x : apply(bitcastRow, [x], { dtype })

export const stopGradientRow = defineOperation<None>({
  name: "stopGradient",
  summary: "x, through which no gradient flows",
  arity: 1,
  infer: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  gradient: () => [undefined],
  lower: { kind: "pointwise", value: (_, [x]) => x! },
  reference: ([x]) => x!.data,
  examples: pointwiseExamples(none, [[{ dtype: "f32", domain: [-3, 3] }]]),
  tolerance: 0,
})
/** x itself, through which no gradient flows back. */
export const stopGradient = (x: Tensor): Tensor => apply(stopGradientRow, [x], none)

export const pointwiseRows: ReadonlyArray<Operation<None> | Operation<{ readonly dtype: DType }>> = [
  negRow, absRow, signRow, floorRow, ceilRow, roundRow, truncRow, sqrtRow, expRow, logRow, sinRow,
  cosRow, tanhRow, erfRow, notRow, addRow, subRow, mulRow, divRow, remRow, maximumRow, minimumRow,
  powRow, andRow, orRow, xorRow, shlRow, shrRow, eqRow, neRow, ltRow, leRow, whereRow, castRow,
  bitcastRow, stopGradientRow,
]
