import { ShapeError } from "./errors.ts"
import { take } from "./ops/indexing.ts"
import { input, scalar } from "./ops/source.ts"
import { topological } from "./schedule/graph.ts"
import { sameShape } from "./shape.ts"
import { Tensor } from "./tensor.ts"

/** Tensors rebuilt with some of them replaced. */
export const replaceIn = (
  roots: ReadonlyArray<Tensor>,
  replacements: ReadonlyMap<Tensor, Tensor>,
): ReadonlyArray<Tensor> => {
  const made = new Map(replacements)
  for (const node of topological(roots)) {
    if (made.has(node)) continue
    const inputs = node.inputs.map((each) => made.get(each)!)
    const same = inputs.every((each, i) => each === node.inputs[i])
    made.set(node, same ? node : new Tensor(node.operation, inputs, node.attributes))
  }
  return roots.map((root) => made.get(root)!)
}

/** One round, traced over placeholders. */
export interface Body {
  readonly index: Tensor
  readonly carries: ReadonlyArray<Tensor>
  /** Whole arrays that the round reads: those it goes over, and what it uses from outside. */
  readonly arrays: ReadonlyArray<Tensor>
  readonly nextCarries: ReadonlyArray<Tensor>
  readonly ys: ReadonlyArray<Tensor>
}

/** One round as it is written: from index, carries and rows to the next carries and to rows. */
export type Round = (
  index: Tensor,
  carries: ReadonlyArray<Tensor>,
  xs: ReadonlyArray<Tensor>,
) => { readonly carries: ReadonlyArray<Tensor>; readonly ys: ReadonlyArray<Tensor> }

/**
 * What the nodes of a round use from outside, as far as it needs memory: constants are cheaper to
 * make anew.
 */
const capturedBy = (
  outputs: ReadonlyArray<Tensor>,
  placeholders: ReadonlyArray<Tensor>,
): ReadonlyArray<Tensor> => {
  const inside = new Set(placeholders)
  const constant = new Set<Tensor>()
  const captured = new Set<Tensor>()
  for (const node of topological(outputs)) {
    if (inside.has(node)) continue
    const { lower } = node.operation
    const plain = lower.kind === "pointwise" || lower.kind === "view"
    if (node.inputs.some((each) => inside.has(each))) {
      inside.add(node)
      for (const each of node.inputs) {
        if (!inside.has(each) && !constant.has(each)) captured.add(each)
      }
    } else if (plain && node.inputs.every((each) => constant.has(each))) constant.add(node)
  }
  for (const output of outputs) {
    if (!inside.has(output) && !constant.has(output)) captured.add(output)
  }
  return [...captured]
}

/** What a tensor is, without what it is computed from. */
export const typeOf = ({ shape, dtype }: Tensor) => ({ shape, dtype })

/** Traces a round, and finds what it uses from outside. */
export const traceBody = (
  round: Round,
  init: ReadonlyArray<Tensor>,
  xs: ReadonlyArray<Tensor>,
): { readonly body: Body; readonly captured: ReadonlyArray<Tensor> } => {
  let count = 0
  const placeholder = ({ shape, dtype }: Tensor): Tensor =>
    input(count++, `loop ${count}`, shape, dtype)
  const index = placeholder(scalar(0, "i32"))
  const carries = init.map(placeholder)
  const arrays = xs.map(placeholder)
  const made = round(
    index,
    carries,
    arrays.map((x) => take(x, index)),
  )
  for (const [i, next] of made.carries.entries()) {
    if (next.dtype === init[i].dtype && sameShape(next.shape, init[i].shape)) continue
    const shapes = [init[i].shape, next.shape]
    const problem = "a round must give back what it was given, of the same shape and dtype"
    throw new ShapeError({ operation: "scan", shapes, problem })
  }
  const outputs = [...made.carries, ...made.ys]
  const captured = capturedBy(outputs, [index, ...carries, ...arrays])
  const held = captured.map(placeholder)
  const rebuilt = replaceIn(outputs, new Map(captured.map((node, i) => [node, held[i]])))
  const body = {
    index,
    carries,
    arrays: [...arrays, ...held],
    nextCarries: rebuilt.slice(0, init.length),
    ys: rebuilt.slice(init.length),
  }
  return { body, captured }
}
