import { isFloat } from "./dtype.ts"
import { DTypeError, NoGradient, ShapeError } from "./errors.ts"
import { zeros, full } from "./ops/composite.ts"
import { add } from "./ops/pointwise.ts"
import { topological } from "./schedule/graph.ts"
import type { Tensor } from "./tensor.ts"
import type { Mapped } from "./tree.ts"
import * as Tree from "./tree.ts"

/**
 * Gradients of the scalar `output` with respect to `inputs`, as further nodes of the same graph
 * (reverse mode). Where nothing flows back the gradient is zeros.
 */
export const gradients = (output: Tensor, inputs: ReadonlyArray<Tensor>): ReadonlyArray<Tensor> => {
  if (output.shape.length !== 0) {
    const shapes = [output.shape]
    throw new ShapeError({
      operation: "gradient",
      shapes,
      problem: "needs a scalar; use sum or mean",
    })
  }
  if (!isFloat(output.dtype)) {
    throw new DTypeError({
      operation: "gradient",
      dtypes: [output.dtype],
      problem: "needs a float",
    })
  }
  const order = topological([output])
  const wanted = new Set(inputs)
  const needed = new Set<Tensor>()
  for (const node of order) {
    if (wanted.has(node) || node.inputs.some((input) => needed.has(input))) needed.add(node)
  }
  const adjoints = new Map<Tensor, Tensor>([[output, full([], 1, output.dtype)]])
  for (const node of order.toReversed()) {
    const adjoint = adjoints.get(node)
    if (adjoint === undefined || !needed.has(node) || node.inputs.length === 0) continue
    const { gradient, name } = node.operation
    if (gradient === null) {
      const depends = node.inputs.some((input) => needed.has(input) && isFloat(input.dtype))
      if (!depends) continue
      throw new NoGradient({ operation: name, hint: "Wrap its input in stopGradient." })
    }
    for (const [i, flow] of gradient(adjoint, node, node.attributes).entries()) {
      const input = node.inputs[i]
      if (flow === undefined || !needed.has(input)) continue
      const before = adjoints.get(input)
      adjoints.set(input, before === undefined ? flow : add(before, flow))
    }
  }
  return inputs.map((input) => adjoints.get(input) ?? zeros(input.shape, input.dtype))
}

/**
 * `f` and its gradient with respect to a tree of tensors. `f` returns a scalar loss.
 *
 * @example
 * ```ts
 * import { Grad, Program, Spec, Tensor } from "@espalier/tensor"
 *
 * const program = Program.make("slope", { x: Spec.f32([3]) }, ({ x }) =>
 *   Grad.valueAndGrad((x: Tensor.Tensor) => Tensor.sum(Tensor.mul(x, x)))(x),
 * )
 * ```
 */
export const valueAndGrad =
  <T>(f: (tree: T) => Tensor) =>
  (tree: T): { readonly value: Tensor; readonly grads: Mapped<T, Tensor, Tensor> } => {
    const value = f(tree)
    const found = gradients(value, Tree.leaves<Tensor>(tree))
    return { value, grads: Tree.fill<Tensor, Tensor, T>(tree, found) }
  }

/** The gradient alone; see {@link valueAndGrad}. */
export const grad =
  <T>(f: (tree: T) => Tensor) =>
  (tree: T): Mapped<T, Tensor, Tensor> =>
    valueAndGrad(f)(tree).grads
