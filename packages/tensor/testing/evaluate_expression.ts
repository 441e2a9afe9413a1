import * as Scalar from "../ir/evaluate_scalar.ts"
import type { Expression } from "../ir/expression.ts"

/** What an expression sees when it is evaluated. */
export interface Surroundings {
  readonly variables?: ReadonlyArray<number>
  readonly argumentValues?: ReadonlyArray<number>
  readonly load?: (operand: number, index: number) => number
}

/** The value of an expression, node by node: slow, and with nothing to get wrong. */
export const evaluateExpression = (root: Expression, surroundings: Surroundings): number => {
  const done = new Map<Expression, number>()
  const evaluate = (node: Expression): number => {
    const known = done.get(node)
    if (known !== undefined) return known
    const value = compute(node)
    done.set(node, value)
    return value
  }
  const compute = (node: Expression): number => {
    switch (node.kind) {
      case "constant":
        return node.value
      case "variable":
        return surroundings.variables![node.index]
      case "argument":
        return surroundings.argumentValues![node.slot]
      case "load":
        return surroundings.load!(node.operand, evaluate(node.index))
      case "unary":
        return Scalar.unary(node.function, node.operand.dtype, evaluate(node.operand))
      case "binary": {
        const [left, right] = [evaluate(node.left), evaluate(node.right)]
        return Scalar.binary(node.function, node.left.dtype, left, right)
      }
      case "select":
        return evaluate(evaluate(node.condition) === 0 ? node.whenFalse : node.whenTrue)
      case "cast":
        return Scalar.cast(node.operand.dtype, node.dtype, evaluate(node.operand))
      case "bitcast":
        return Scalar.bitcast(node.operand.dtype, node.dtype, evaluate(node.operand))
    }
  }
  return evaluate(root)
}
