import type { UnaryFunction } from "../ir/expression.ts"
import * as Scalar from "../ir/evaluate_scalar.ts"
import type { Tensor } from "../tensor.ts"
import { apply } from "../tensor.ts"
import { div, mul, sub } from "./binary.ts"
import type { Operation } from "./operation.ts"
import { defineOperation, pointwiseExamples } from "./operation.ts"
import type { Kind, None } from "./pointwise_rules.ts"
import { domains, none, requireKind, tested } from "./pointwise_rules.ts"

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
      return { shape: inputs[0].shape, dtype: inputs[0].dtype }
    },
    gradient: options.gradient,
    lower: {
      kind: "pointwise",
      value: ({ builder }, [operand]) => builder.unary(fn, operand),
    },
    reference: ([x]) => Array.from(x.data, (value) => Scalar.unary(fn, x.dtype, value)),
    examples: pointwiseExamples(
      none,
      tested(options.kind).map((dtype) => [
        { dtype, domain: domains(dtype, options.domain ?? [-3, 3]) },
      ]),
    ),
    tolerance: options.tolerance ?? 0,
  })

const input = (node: Tensor): Tensor => node.inputs[0]
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

export const unaryRows: ReadonlyArray<Operation<None>> = [
  negRow,
  absRow,
  signRow,
  floorRow,
  ceilRow,
  roundRow,
  truncRow,
  sqrtRow,
  expRow,
  logRow,
  sinRow,
  cosRow,
  tanhRow,
  erfRow,
  notRow,
]
