import { isFloat } from "./dtype.ts"
import { DTypeError, ShapeError } from "./errors.ts"
import { anew, graft } from "./ops/checkpoint.ts"
import { full, zeros } from "./ops/composite.ts"
import { pullback } from "./pullback.ts"
import type { Tensor } from "./tensor.ts"
import type { Mapped } from "./tree.ts"
import * as Tree from "./tree.ts"

/**
 * Gradients of the scalar `output` with respect to `inputs`. Where nothing flows back the gradient
 * is zeros.
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
  const found = pullback([output], [full([], 1, output.dtype)], inputs)
  return inputs.map((input, i) => found[i] ?? zeros(input.shape, input.dtype))
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

/**
 * `f` with less memory for its gradient: nothing that lies between the tree and the results is kept,
 * it is computed again on the way back (Chen et al. 2016). Values and gradients are those of `f`.
 * Around each block of a deep model it turns memory for all blocks into memory for one.
 *
 * @example
 * ```ts
 * import { Grad, Program, Spec, Tensor } from "@espalier/tensor"
 *
 * const block = Grad.checkpoint((x: Tensor.Tensor) => Tensor.tanh(Tensor.exp(Tensor.sin(x))))
 * const program = Program.make("slope", { x: Spec.f32([8]) }, ({ x }) =>
 *   Grad.grad((x: Tensor.Tensor) => Tensor.sum(block(block(x))))(x),
 * )
 * ```
 */
export const checkpoint =
  <T, O>(f: (tree: T) => O) =>
  (tree: T): O => {
    const inputs = Tree.leaves<Tensor>(tree)
    const made = f(tree)
    let again: ReadonlyArray<Tensor> | undefined
    let copies: ReadonlyArray<Tensor> = []
    /** The results once more, traced when the first gradient asks for them. */
    const recompute = (): ReadonlyArray<Tensor> => {
      if (again !== undefined) return again
      copies = inputs.map(anew)
      again = Tree.leaves<Tensor>(f(Tree.fill<Tensor, Tensor, T>(tree, copies) as T))
      return again
    }
    const results = Tree.leaves<Tensor>(made).map((result, i) =>
      graft(result, inputs, (gradient) => pullback([recompute()[i]], [gradient], copies)),
    )
    return Tree.fill<Tensor, Tensor, O>(made, results) as O
  }
