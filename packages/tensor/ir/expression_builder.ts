import type { DType } from "../dtype.ts"
import * as Scalar from "./evaluate_scalar.ts"
import type { BinaryFunction, Expression, Linear, UnaryFunction } from "./expression.ts"
import { linearForm } from "./expression.ts"

/** Distributes over the union, so that each member loses its own `id`. */
type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never

const comparisons: ReadonlySet<BinaryFunction> = new Set(["equal", "notEqual", "less", "lessEqual"])

type Range = readonly [number, number]

const largest = 2147483647
/** All of `i32`. */
const everything: Range = [-largest - 1, largest]
/** Bounds of a sum or product, which wraps when it leaves `i32`. */
const within = (low: number, high: number): Range =>
  low < everything[0] || high > largest ? everything : [low, high]

/**
 * Makes interned expressions, simplified as they are made: constants fold, and `i32` index
 * arithmetic is kept in linear form so that a view of a view reads like one view.
 *
 * Simplified or not, an expression has the same value: sums wrap as `i32` does, and what holds only
 * without overflow or for positive numbers is done only where the {@link range} proves it.
 */
export class ExpressionBuilder {
  readonly #interned = new Map<string, Expression>()
  readonly #ranges = new Map<Expression, Range>()

  #intern(key: string, node: WithoutId<Expression>): Expression {
    const known = this.#interned.get(key)
    if (known !== undefined) return known
    const made = { id: this.#interned.size, ...node } as Expression
    this.#interned.set(key, made)
    return made
  }

  constant(value: number, dtype: DType): Expression {
    const wrapped = Scalar.wrap(dtype, value)
    const text = Object.is(wrapped, -0) ? "-0" : String(wrapped)
    return this.#intern(`constant ${text} ${dtype}`, { kind: "constant", dtype, value: wrapped })
  }

  /** Loop variable `index`; a loop of one iteration is the constant 0. */
  variable(index: number, extent: number): Expression {
    if (extent === 1) return this.constant(0, "i32")
    const key = `variable ${index} ${extent}`
    return this.#intern(key, { kind: "variable", dtype: "i32", index, extent })
  }

  argument(slot: number, dtype: DType): Expression {
    return this.#intern(`argument ${slot} ${dtype}`, { kind: "argument", dtype, slot })
  }

  load(operand: number, index: Expression, dtype: DType): Expression {
    const key = `load ${operand} ${index.id}`
    return this.#intern(key, { kind: "load", dtype, operand, index })
  }

  unary(name: UnaryFunction, operand: Expression): Expression {
    if (operand.kind === "constant") {
      return this.constant(Scalar.unary(name, operand.dtype, operand.value), operand.dtype)
    }
    const key = `${name} ${operand.id}`
    return this.#intern(key, { kind: "unary", dtype: operand.dtype, function: name, operand })
  }

  binary(name: BinaryFunction, left: Expression, right: Expression): Expression {
    const dtype: DType = comparisons.has(name) ? "bool" : left.dtype
    if (left.kind === "constant" && right.kind === "constant") {
      return this.constant(Scalar.binary(name, left.dtype, left.value, right.value), dtype)
    }
    if (left.dtype === "i32") {
      const simple = this.#index(name, left, right)
      if (simple !== undefined) return simple
    } else if (left.dtype === "bool" && (name === "and" || name === "or")) {
      // The value that decides alone: false for and, true for or.
      const decides = name === "or" ? 1 : 0
      if (left.kind === "constant") return left.value === decides ? left : right
      if (right.kind === "constant") return right.value === decides ? right : left
    } else if (right.kind === "constant") {
      const neutral =
        (right.value === 1 && (name === "multiply" || name === "divide")) ||
        (Object.is(right.value, -0) && name === "add") ||
        (Object.is(right.value, 0) && name === "subtract")
      if (neutral) return left
    } else if (left.kind === "constant" && left.value === 1 && name === "multiply") {
      return right
    }
    return this.#binary(name, left, right, dtype)
  }

  #binary(name: BinaryFunction, left: Expression, right: Expression, dtype: DType): Expression {
    const key = `${name} ${left.id} ${right.id}`
    return this.#intern(key, { kind: "binary", dtype, function: name, left, right })
  }

  select(condition: Expression, whenTrue: Expression, whenFalse: Expression): Expression {
    if (condition.kind === "constant") return condition.value === 0 ? whenFalse : whenTrue
    if (whenTrue === whenFalse) return whenTrue
    const key = `select ${condition.id} ${whenTrue.id} ${whenFalse.id}`
    return this.#intern(key, {
      kind: "select",
      dtype: whenTrue.dtype,
      condition,
      whenTrue,
      whenFalse,
    })
  }

  cast(operand: Expression, dtype: DType): Expression {
    if (operand.dtype === dtype) return operand
    if (operand.kind === "constant") {
      return this.constant(Scalar.cast(operand.dtype, dtype, operand.value), dtype)
    }
    return this.#intern(`cast ${operand.id} ${dtype}`, { kind: "cast", dtype, operand })
  }

  bitcast(operand: Expression, dtype: DType): Expression {
    if (operand.dtype === dtype) return operand
    if (operand.kind === "constant") {
      return this.constant(Scalar.bitcast(operand.dtype, dtype, operand.value), dtype)
    }
    return this.#intern(`bitcast ${operand.id} ${dtype}`, { kind: "bitcast", dtype, operand })
  }

  /** `left + right`, and so on, for index arithmetic. */
  add(left: Expression, right: Expression | number): Expression {
    return this.binary("add", left, this.#literal(right))
  }
  subtract(left: Expression, right: Expression | number): Expression {
    return this.binary("subtract", left, this.#literal(right))
  }
  multiply(left: Expression, right: Expression | number): Expression {
    return this.binary("multiply", left, this.#literal(right))
  }
  divide(left: Expression, right: number): Expression {
    return this.binary("divide", left, this.#literal(right))
  }
  remainder(left: Expression, right: number): Expression {
    return this.binary("remainder", left, this.#literal(right))
  }
  #literal(value: Expression | number): Expression {
    return typeof value === "number" ? this.constant(value, "i32") : value
  }

  /** The row-major position of `index` in `shape`. */
  linearize(index: ReadonlyArray<Expression>, shape: ReadonlyArray<number>): Expression {
    let position: Expression = this.constant(0, "i32")
    for (const [axis, extent] of shape.entries()) {
      position = this.add(this.multiply(position, extent), index[axis])
    }
    return position
  }

  /** The multi-index of a row-major `position` in `shape`. */
  delinearize(position: Expression, shape: ReadonlyArray<number>): ReadonlyArray<Expression> {
    const index: Array<Expression> = []
    let rest = position
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const extent = shape[axis]
      index.unshift(axis === 0 ? rest : this.remainder(rest, extent))
      rest = this.divide(rest, extent)
    }
    return index
  }

  /** Bounds of the value of an `i32` expression: all of `i32` where nothing better is known. */
  range(expression: Expression): Range {
    const known = this.#ranges.get(expression)
    if (known !== undefined) return known
    const computed = this.#computeRange(expression)
    this.#ranges.set(expression, computed)
    return computed
  }

  #computeRange(node: Expression): Range {
    if (node.kind === "constant") return [node.value, node.value]
    if (node.kind === "variable") return [0, node.extent - 1]
    if (node.kind === "cast" && node.operand.dtype === "bool") return [0, 1]
    if (node.kind === "select") {
      const [a, b] = this.range(node.whenTrue)
      const [c, d] = this.range(node.whenFalse)
      return [Math.min(a, c), Math.max(b, d)]
    }
    if (node.kind === "binary") {
      const [a, b] = this.range(node.left)
      const [c, d] = this.range(node.right)
      switch (node.function) {
        case "add":
          return within(a + c, b + d)
        case "subtract":
          return within(a - d, b - c)
        case "multiply": {
          const products = [a * c, a * d, b * c, b * d]
          return within(Math.min(...products), Math.max(...products))
        }
        case "minimum":
          return [Math.min(a, c), Math.min(b, d)]
        case "maximum":
          return [Math.max(a, c), Math.max(b, d)]
        case "divide":
          if (c === d && c > 0) return [Math.trunc(a / c), Math.trunc(b / c)]
          break
        case "remainder":
          if (c === d && c > 0 && a >= 0) return [0, Math.min(b, c - 1)]
          break
        default:
      }
    }
    return everything
  }

  /** Rebuilds a linear form as an expression, terms in the order of their atoms' ids. */
  #fromLinear({ constant, terms }: Linear): Expression {
    const sorted = terms.filter((t) => t.coefficient !== 0).sort((x, y) => x.atom.id - y.atom.id)
    let sum: Expression | undefined
    for (const { atom, coefficient } of sorted) {
      const term =
        coefficient === 1
          ? atom
          : this.#binary("multiply", atom, this.constant(coefficient, "i32"), "i32")
      sum = sum === undefined ? term : this.#binary("add", sum, term, "i32")
    }
    if (sum === undefined) return this.constant(constant, "i32")
    return constant === 0 ? sum : this.#binary("add", sum, this.constant(constant, "i32"), "i32")
  }

  #scale({ constant, terms }: Linear, factor: number): Linear {
    return {
      constant: Math.imul(constant, factor),
      terms: terms.map(({ atom, coefficient }) => ({
        atom,
        coefficient: Math.imul(coefficient, factor),
      })),
    }
  }

  #sum(left: Linear, right: Linear): Expression {
    const terms = new Map<Expression, number>()
    for (const { atom, coefficient } of [...left.terms, ...right.terms]) {
      terms.set(atom, ((terms.get(atom) ?? 0) + coefficient) | 0)
    }
    const joined = this.#joinQuotients(terms)
    return this.#fromLinear({
      constant: (left.constant + right.constant + joined) | 0,
      terms: [...terms].map(([atom, coefficient]) => ({ atom, coefficient })),
    })
  }

  /** `(x / d)·(c·d) + (x % d)·c` is `x·c`. Gives what that adds to the constant. */
  #joinQuotients(terms: Map<Expression, number>): number {
    let constant = 0
    for (let again = true; again;) {
      again = false
      for (const [atom, coefficient] of terms) {
        if (atom.kind !== "binary" || atom.function !== "remainder" || coefficient === 0) continue
        const divisor = atom.right
        if (divisor.kind !== "constant" || divisor.value <= 0) continue
        const quotient = this.divide(atom.left, divisor.value)
        if (terms.get(quotient) !== Math.imul(coefficient, divisor.value)) continue
        terms.set(atom, 0)
        terms.set(quotient, 0)
        const whole = this.#scale(linearForm(atom.left), coefficient)
        constant = (constant + whole.constant) | 0
        for (const term of whole.terms) {
          terms.set(term.atom, ((terms.get(term.atom) ?? 0) + term.coefficient) | 0)
        }
        again = true
      }
    }
    return constant
  }

  #index(name: BinaryFunction, left: Expression, right: Expression): Expression | undefined {
    switch (name) {
      case "add":
        return this.#sum(linearForm(left), linearForm(right))
      case "subtract":
        return this.#sum(linearForm(left), this.#scale(linearForm(right), -1))
      case "multiply":
        if (right.kind === "constant") {
          return this.#fromLinear(this.#scale(linearForm(left), right.value))
        }
        if (left.kind === "constant") {
          return this.#fromLinear(this.#scale(linearForm(right), left.value))
        }
        return undefined
      case "divide":
        return right.kind === "constant" ? this.#divide(left, right.value) : undefined
      case "remainder":
        return right.kind === "constant" ? this.#remainder(left, right.value) : undefined
      case "less": {
        const [a, b] = this.range(left)
        const [c, d] = this.range(right)
        if (b < c) return this.constant(1, "bool")
        return a >= d ? this.constant(0, "bool") : undefined
      }
      case "lessEqual": {
        const [a, b] = this.range(left)
        const [c, d] = this.range(right)
        if (b <= c) return this.constant(1, "bool")
        return a > d ? this.constant(0, "bool") : undefined
      }
      case "minimum": {
        if (this.range(left)[1] <= this.range(right)[0]) return left
        return this.range(right)[1] <= this.range(left)[0] ? right : undefined
      }
      case "maximum": {
        if (this.range(left)[0] >= this.range(right)[1]) return left
        return this.range(right)[0] >= this.range(left)[1] ? right : undefined
      }
      default:
        return undefined
    }
  }

  /** Splits `x` into the part divisible by `divisor` and a non-negative rest, where that works. */
  #split(x: Expression, divisor: number): { quotient: Linear; rest: Expression } | undefined {
    const { constant, terms } = linearForm(x)
    const whole = Math.floor(constant / divisor)
    const quotient = terms.filter((term) => term.coefficient % divisor === 0)
    if (quotient.length === 0 && whole === 0) return undefined
    const rest = this.#fromLinear({
      constant: constant - whole * divisor,
      terms: terms.filter((term) => term.coefficient % divisor !== 0),
    })
    if (this.range(rest)[0] < 0) return undefined
    return {
      quotient: {
        constant: whole,
        terms: quotient.map(({ atom, coefficient }) => ({
          atom,
          coefficient: coefficient / divisor,
        })),
      },
      rest,
    }
  }

  #divide(x: Expression, divisor: number): Expression | undefined {
    if (divisor === 1) return x
    const [low, high] = this.range(x)
    if (divisor <= 0 || low < 0) return undefined
    if (high < divisor) return this.constant(0, "i32")
    if (x.kind === "binary" && x.right.kind === "constant" && x.right.value > 0) {
      const inner = x.right.value
      // The product of two divisors that does not fit i32 divides everything down to 0.
      if (x.function === "divide") {
        if (inner * divisor > largest) return this.constant(0, "i32")
        return this.divide(x.left, inner * divisor)
      }
      if (x.function === "remainder" && inner % divisor === 0) {
        return this.remainder(this.divide(x.left, divisor), inner / divisor)
      }
    }
    const parts = this.#split(x, divisor)
    if (parts === undefined) return undefined
    return this.#sum(parts.quotient, linearForm(this.divide(parts.rest, divisor)))
  }

  #remainder(x: Expression, divisor: number): Expression | undefined {
    if (divisor === 1) return this.constant(0, "i32")
    const [low, high] = this.range(x)
    if (divisor <= 0 || low < 0) return undefined
    if (high < divisor) return x
    if (x.kind === "binary" && x.function === "remainder" && x.right.kind === "constant") {
      if (x.right.value % divisor === 0) return this.remainder(x.left, divisor)
    }
    const parts = this.#split(x, divisor)
    return parts === undefined ? undefined : this.remainder(parts.rest, divisor)
  }
}
