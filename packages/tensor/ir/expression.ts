import type { DType } from "../dtype.ts"

/** Operations of one operand. `not` is logical on `bool`, bitwise on integers. */
export type UnaryFunction =
  | "negate"
  | "absolute"
  | "sign"
  | "floor"
  | "ceil"
  | "round"
  | "truncate"
  | "sqrt"
  | "exp"
  | "log"
  | "sin"
  | "cos"
  | "tanh"
  | "erf"
  | "not"

/**
 * Operations of two operands of the same dtype. Comparisons give `bool`. Integer `divide` and
 * `remainder` truncate towards zero; shifts take a `u32` count on the right.
 */
export type BinaryFunction =
  | "add"
  | "subtract"
  | "multiply"
  | "divide"
  | "remainder"
  | "maximum"
  | "minimum"
  | "power"
  | "and"
  | "or"
  | "xor"
  | "shiftLeft"
  | "shiftRight"
  | "equal"
  | "notEqual"
  | "less"
  | "lessEqual"

/**
 * A scalar expression, evaluated once for each point of a kernel's iteration space.
 *
 * Expressions are interned by their {@link ExpressionBuilder}: the same expression is the same
 * object, so a reader that keeps one local per `id` has eliminated common subexpressions. Operands
 * always have smaller ids than the expression that uses them.
 */
export type Expression =
  | Constant
  | Variable
  | Argument
  | Load
  | Unary
  | Binary
  | Select
  | Cast
  | Bitcast

interface Node {
  readonly id: number
  readonly dtype: DType
}

/** A literal. `bool` is 0 or 1. */
export interface Constant extends Node {
  readonly kind: "constant"
  readonly value: number
}

/** A loop variable of the kernel, an `i32` in `[0, extent)`; `index` is its place in the loop nest. */
export interface Variable extends Node {
  readonly kind: "variable"
  readonly index: number
  readonly extent: number
}

/** A value that the kernel's template hands in: an accumulator, an element, a finished sum. */
export interface Argument extends Node {
  readonly kind: "argument"
  readonly slot: number
}

/** Reads element `index` (an `i32` expression, always in range) of a kernel operand. */
export interface Load extends Node {
  readonly kind: "load"
  readonly operand: number
  readonly index: Expression
}

export interface Unary extends Node {
  readonly kind: "unary"
  readonly function: UnaryFunction
  readonly operand: Expression
}

export interface Binary extends Node {
  readonly kind: "binary"
  readonly function: BinaryFunction
  readonly left: Expression
  readonly right: Expression
}

/** `condition ? whenTrue : whenFalse`; both sides may be evaluated. */
export interface Select extends Node {
  readonly kind: "select"
  readonly condition: Expression
  readonly whenTrue: Expression
  readonly whenFalse: Expression
}

/** Converts the value; float to integer truncates towards zero. */
export interface Cast extends Node {
  readonly kind: "cast"
  readonly operand: Expression
}

/** Reinterprets 32 bits (`f32`, `i32`, `u32`); `f64` readers round to `f32` first. */
export interface Bitcast extends Node {
  readonly kind: "bitcast"
  readonly operand: Expression
}

/** The direct operands of an expression, left to right. */
export const children = (expression: Expression): ReadonlyArray<Expression> => {
  switch (expression.kind) {
    case "constant":
    case "variable":
    case "argument":
      return []
    case "load":
      return [expression.index]
    case "binary":
      return [expression.left, expression.right]
    case "select":
      return [expression.condition, expression.whenTrue, expression.whenFalse]
    default:
      return [expression.operand]
  }
}

/** Every expression reachable from `roots`, operands first. */
export const reachable = (roots: ReadonlyArray<Expression>): ReadonlyArray<Expression> => {
  const seen = new Map<number, Expression>()
  const visit = (expression: Expression): void => {
    if (seen.has(expression.id)) return
    for (const child of children(expression)) visit(child)
    seen.set(expression.id, expression)
  }
  for (const root of roots) visit(root)
  return [...seen.values()]
}

/** True when the value of `expression` changes with loop variable `index`. */
export const dependsOn = (expression: Expression, index: number): boolean =>
  reachable([expression]).some((node) => node.kind === "variable" && node.index === index)

/**
 * An `i32` expression as `constant + Σ coefficient · atom`, where no atom is itself a sum. Like all
 * `i32` arithmetic it wraps: constant and coefficients are 32-bit numbers.
 */
export interface Linear {
  readonly constant: number
  readonly terms: ReadonlyArray<{ readonly atom: Expression; readonly coefficient: number }>
}

/** Splits an `i32` expression into its linear form. */
export const linearForm = (expression: Expression): Linear => {
  const terms = new Map<Expression, number>()
  let constant = 0
  const visit = (node: Expression, factor: number): void => {
    if (node.kind === "constant") {
      constant = (constant + Math.imul(node.value, factor)) | 0
      return
    }
    if (node.kind === "binary") {
      if (node.function === "add") {
        visit(node.left, factor)
        visit(node.right, factor)
        return
      }
      if (node.function === "multiply" && node.right.kind === "constant") {
        visit(node.left, Math.imul(factor, node.right.value))
        return
      }
    }
    terms.set(node, ((terms.get(node) ?? 0) + factor) | 0)
  }
  visit(expression, 1)
  return {
    constant,
    terms: [...terms]
      .filter(([, c]) => c !== 0)
      .map(([atom, coefficient]) => ({ atom, coefficient })),
  }
}

/**
 * How an `i32` expression moves with loop variable `index`: the constant step per iteration, or
 * `undefined` when it is not an affine function of that variable.
 */
export const strideOf = (expression: Expression, index: number): number | undefined => {
  let stride = 0
  for (const { atom, coefficient } of linearForm(expression).terms) {
    if (atom.kind === "variable" && atom.index === index) stride += coefficient
    else if (dependsOn(atom, index)) return undefined
  }
  return stride
}
