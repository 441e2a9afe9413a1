import { isFloat } from "../dtype.ts"
import type { Attributes } from "../ops/operation.ts"
import { isGraft } from "../ops/checkpoint.ts"
import { stopGradientRow } from "../ops/pointwise.ts"
import type { Operation } from "../ops/operation.ts"
import type { Tensor } from "../tensor.ts"

/** A node of the graph that is scheduled: a tensor with its equals merged and its users known. */
export interface GraphNode {
  readonly id: number
  readonly tensor: Tensor
  readonly inputs: ReadonlyArray<GraphNode>
  readonly users: Set<GraphNode>
  isOutput: boolean
}

/** The tensors that `roots` are computed from, operands first, without recursion. */
export const topological = (roots: ReadonlyArray<Tensor>): ReadonlyArray<Tensor> => {
  const order: Array<Tensor> = []
  const entered = new Set<Tensor>()
  const stack: Array<{ tensor: Tensor; next: number }> = []
  const enter = (tensor: Tensor): void => {
    if (entered.has(tensor)) return
    entered.add(tensor)
    stack.push({ tensor, next: 0 })
  }
  for (const root of roots) {
    enter(root)
    while (stack.length > 0) {
      const top = stack.at(-1)!
      const input = top.tensor.inputs[top.next++]
      if (input !== undefined) enter(input)
      else {
        order.push(top.tensor)
        stack.pop()
      }
    }
  }
  return order
}

const attributeKey = (attributes: Attributes, dataIds: Map<object, number>): string =>
  Object.keys(attributes)
    .sort()
    .map((key) => {
      const value = attributes[key]
      if (Object.is(value, -0)) return `${key}=-0`
      if (!ArrayBuffer.isView(value)) return `${key}=${String(value)}`
      if (!dataIds.has(value)) dataIds.set(value, dataIds.size)
      return `${key}=#${dataIds.get(value)}`
    })
    .join(";")

const isScalar = (node: GraphNode, value: number): boolean => {
  let at = node
  while (at.tensor.operation.name === "broadcast" || at.tensor.operation.name === "reshape") {
    at = at.inputs[0]!
  }
  return at.tensor.operation.name === "scalar" && Object.is(at.tensor.attributes["value"], value)
}

/** x · 1, x / 1, x − 0 are x: what gradients leave behind. */
const neutral = (tensor: Tensor, inputs: ReadonlyArray<GraphNode>): GraphNode | undefined => {
  const [left, right] = [inputs[0], inputs[1]]
  if (left === undefined || right === undefined || !isFloat(tensor.dtype)) return undefined
  switch (tensor.operation.name) {
    case "mul":
      return isScalar(right, 1) ? left : isScalar(left, 1) ? right : undefined
    case "div":
      return isScalar(right, 1) ? left : undefined
    case "sub":
      return isScalar(right, 0) ? left : undefined
    default:
      return undefined
  }
}

/** Merges equal subgraphs, drops what nobody needs, and records who uses whom. */
export const buildGraph = (
  outputs: ReadonlyArray<Tensor>,
): { readonly nodes: ReadonlyArray<GraphNode>; readonly outputs: ReadonlyArray<GraphNode> } => {
  const byKey = new Map<string, GraphNode>()
  const byTensor = new Map<Tensor, GraphNode>()
  const dataIds = new Map<object, number>()
  for (const tensor of topological(outputs)) {
    const inputs = tensor.inputs.map((input) => byTensor.get(input)!)
    if (
      tensor.operation === (stopGradientRow as unknown as Operation) ||
      isGraft(tensor.operation)
    ) {
      byTensor.set(tensor, inputs[0])
      continue
    }
    const same = neutral(tensor, inputs)
    if (same !== undefined) {
      byTensor.set(tensor, same)
      continue
    }
    const key = `${tensor.operation.name}(${inputs.map((input) => input.id).join(",")})${attributeKey(tensor.attributes, dataIds)}`
    let node = byKey.get(key)
    if (node === undefined) {
      node = { id: byKey.size, tensor, inputs, users: new Set(), isOutput: false }
      byKey.set(key, node)
    }
    byTensor.set(tensor, node)
  }
  const roots = outputs.map((output) => byTensor.get(output)!)
  for (const root of roots) root.isOutput = true
  // Merging may leave nodes that only dead ones used: keep what the outputs reach.
  const alive = new Set<GraphNode>()
  const stack = [...roots]
  while (stack.length > 0) {
    const node = stack.pop()!
    if (alive.has(node)) continue
    alive.add(node)
    for (const input of node.inputs) {
      input.users.add(node)
      stack.push(input)
    }
  }
  return { nodes: [...byKey.values()].filter((node) => alive.has(node)), outputs: roots }
}
