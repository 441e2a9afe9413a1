import type { Expression } from "./expression.ts"
import type { ExpressionBuilder } from "./expression_builder.ts"

/** Rebuilds expressions in another builder, replacing the nodes that `replace` answers for. */
export const rewrite = (
  builder: ExpressionBuilder,
  replace: (node: Expression, recurse: (node: Expression) => Expression) => Expression | undefined,
): ((expression: Expression) => Expression) => {
  const done = new Map<Expression, Expression>()
  const recurse = (node: Expression): Expression => {
    const known = done.get(node)
    if (known !== undefined) return known
    const made = replace(node, recurse) ?? rebuild(node)
    done.set(node, made)
    return made
  }
  const rebuild = (node: Expression): Expression => {
    switch (node.kind) {
      case "constant":
        return builder.constant(node.value, node.dtype)
      case "variable":
        return builder.variable(node.index, node.extent)
      case "argument":
        return builder.argument(node.slot, node.dtype)
      case "load":
        return builder.load(node.operand, recurse(node.index), node.dtype)
      case "unary":
        return builder.unary(node.function, recurse(node.operand))
      case "binary":
        return builder.binary(node.function, recurse(node.left), recurse(node.right))
      case "select":
        return builder.select(
          recurse(node.condition),
          recurse(node.whenTrue),
          recurse(node.whenFalse),
        )
      case "cast":
        return builder.cast(recurse(node.operand), node.dtype)
      case "bitcast":
        return builder.bitcast(recurse(node.operand), node.dtype)
    }
  }
  return recurse
}
