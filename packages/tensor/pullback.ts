import { isFloat } from "./dtype.ts"
import { NoGradient } from "./errors.ts"
import { resultOf } from "./ops/call.ts"
import { add } from "./ops/pointwise.ts"
import { topological } from "./schedule/graph.ts"
import type { Tensor } from "./tensor.ts"

/** What flows back into one node: one adjoint, or one for each result of a call. */
class Adjoints {
  readonly #values = new Map<Tensor, Tensor>()
  readonly #results = new Map<Tensor, Array<Tensor | undefined>>()

  of(node: Tensor): Tensor | undefined {
    return this.#values.get(node)
  }

  results(node: Tensor): ReadonlyArray<Tensor | undefined> | undefined {
    return this.#results.get(node)
  }

  add(node: Tensor, flow: Tensor): void {
    const before = this.#values.get(node)
    this.#values.set(node, before === undefined ? flow : add(before, flow))
  }

  addResult(node: Tensor, index: number, flow: Tensor): void {
    const known = this.#results.get(node) ?? []
    const before = known[index]
    known[index] = before === undefined ? flow : add(before, flow)
    this.#results.set(node, known)
  }
}

/**
 * The product of `gradients` (one for each output, of its shape) with the Jacobian of `outputs` with
 * respect to `inputs`, as further nodes of the same graph (reverse mode). `undefined` where nothing
 * flows back.
 */
export const pullback = (
  outputs: ReadonlyArray<Tensor>,
  gradients: ReadonlyArray<Tensor | undefined>,
  inputs: ReadonlyArray<Tensor>,
): ReadonlyArray<Tensor | undefined> => {
  const order = topological(outputs)
  const wanted = new Set(inputs)
  const needed = new Set<Tensor>()
  for (const node of order) {
    if (wanted.has(node) || node.inputs.some((input) => needed.has(input))) needed.add(node)
  }
  const adjoints = new Adjoints()
  for (const [i, output] of outputs.entries()) {
    const flow = gradients[i]
    if (flow !== undefined) adjoints.add(output, flow)
  }
  const flowsOf = (node: Tensor): ReadonlyArray<Tensor | undefined> => {
    const { gradient, lower, name } = node.operation
    if (lower.kind === "call") {
      const results = adjoints.results(node)
      if (results === undefined) return []
      return lower.call.pullback(results, node.inputs, (index) => resultOf(node, lower.call, index))
    }
    const adjoint = adjoints.of(node)
    if (adjoint === undefined) return []
    if (lower.kind === "result") {
      adjoints.addResult(node.inputs[0], lower.index, adjoint)
      return []
    }
    if (gradient !== null) return gradient(adjoint, node, node.attributes)
    const depends = node.inputs.some((input) => needed.has(input) && isFloat(input.dtype))
    if (!depends) return []
    throw new NoGradient({ operation: name, hint: "Wrap its input in stopGradient." })
  }
  for (const node of order.toReversed()) {
    if (!needed.has(node) || node.inputs.length === 0) continue
    for (const [i, flow] of flowsOf(node).entries()) {
      const input = node.inputs[i]
      if (flow !== undefined && needed.has(input)) adjoints.add(input, flow)
    }
  }
  return inputs.map((input) => adjoints.of(input))
}
