import { sizeOf } from "../shape.ts"
import type { GraphNode } from "./graph.ts"

/**
 * Which nodes get memory of their own. Everything else is computed where it is used: views are
 * index arithmetic, elementwise chains are one expression, and what follows a sum or a product of
 * matrices happens in its last step.
 */
export interface FusionPlan {
  /** Nodes whose values are stored, in the order in which their kernels run. */
  readonly stored: ReadonlyArray<GraphNode>
  /** For a stored node: the fold, product, scan or scatter at the start of its kernel, if any. */
  readonly anchor: ReadonlyMap<GraphNode, GraphNode>
}

/** Storage buffers one kernel may bind; every WebGPU adapter has at least this many. */
export const maximumOperands = 8
/** Longest expression worth evaluating in one place. */
const maximumWork = 120
/** Repeating more than this many operations costs more than a load. */
const cheap = 3

const costs: Readonly<Record<string, number>> = {
  exp: 10,
  log: 10,
  sin: 12,
  cos: 12,
  tanh: 12,
  erf: 14,
  pow: 20,
  sqrt: 4,
  div: 4,
  rem: 6,
}

const costOf = (node: GraphNode): number =>
  isPointwise(node) ? (costs[node.tensor.operation.name] ?? 1) : 0

export const isAnchor = (node: GraphNode): boolean => {
  const kind = node.tensor.operation.lower.kind
  return kind === "reduce" || kind === "scan" || kind === "contract" || kind === "scatter"
}

const isSource = (node: GraphNode): boolean => node.tensor.operation.lower.kind === "source"
const isPointwise = (node: GraphNode): boolean => node.tensor.operation.lower.kind === "pointwise"

/** All zeros, whatever its shape: a scatter starts from it without reading anything. */
export const isZeros = (node: GraphNode): boolean => {
  const { name } = node.tensor.operation
  if (name === "broadcast" || name === "reshape") return isZeros(node.inputs[0])
  return name === "scalar" && Object.is(node.tensor.attributes["value"], 0)
}

/** Elements of a node read more often than once each by one of its users. */
const repeats = (user: GraphNode, input: GraphNode): boolean => {
  const kind = user.tensor.operation.lower.kind
  if (kind === "contract") return true
  if (kind !== "view") return false
  return sizeOf(user.tensor.shape) > sizeOf(input.tensor.shape)
}

/** Longest search for the place where the users of a value meet again. */
const longestRegion = 32

/**
 * The elementwise nodes up to and including the first that every path from `start` leads through,
 * that one last; `undefined` where there is none, because something else sees a value on the way.
 */
const meeting = (
  start: GraphNode,
  allowed: (node: GraphNode) => boolean = () => true,
): ReadonlyArray<GraphNode> | undefined => {
  if (start.isOutput) return undefined
  const region: Array<GraphNode> = []
  const open = new Set(start.users)
  while (region.length < longestRegion) {
    // Ids ascend from operands to users.
    const [next] = [...open].sort((a, b) => a.id - b.id)
    if (next === undefined || !allowed(next)) return undefined
    if (!isPointwise(next) && next.tensor.operation.name !== "reshape") return undefined
    region.push(next)
    open.delete(next)
    if (open.size === 0) return region
    if (next.isOutput) return undefined
    for (const user of next.users) open.add(user)
  }
  return undefined
}

type Reads = Map<GraphNode, ReadonlySet<GraphNode>>

/** The buffers that a node reads when it is computed in place, given those of its inputs. */
const readsOfOne = (
  node: GraphNode,
  stored: ReadonlySet<GraphNode>,
  reads: Reads,
): ReadonlySet<GraphNode> => {
  const [first] = node.inputs
  const computed = (input: GraphNode) => !isSource(input) && !stored.has(input)
  if (node.inputs.length === 1 && computed(first)) return reads.get(first)!
  const own = new Set<GraphNode>()
  for (const input of node.inputs) {
    if (computed(input)) for (const buffer of reads.get(input)!) own.add(buffer)
    else own.add(input)
  }
  return own
}

/** The same for all nodes. */
const readsOf = (nodes: ReadonlyArray<GraphNode>, stored: ReadonlySet<GraphNode>): Reads => {
  const reads: Reads = new Map()
  for (const node of nodes) reads.set(node, readsOfOne(node, stored, reads))
  return reads
}

/** The node below the views that `input` is, as far down as something else uses it too. */
const sharedBase = (input: GraphNode): GraphNode | undefined => {
  let shared: GraphNode | undefined
  for (let at: GraphNode | undefined = input; at !== undefined;) {
    if (at.users.size > 1) shared = at
    at =
      at.tensor.operation.lower.kind === "view" && at.inputs.length === 1 ? at.inputs[0] : undefined
  }
  return shared
}

/**
 * Which nodes are worth storing: results of folds and products, outputs, and what would otherwise be
 * computed too often or make one expression too long.
 */
const chooseStored = (nodes: ReadonlyArray<GraphNode>): Set<GraphNode> => {
  const stored = new Set<GraphNode>()
  const work = new Map<GraphNode, number>()
  const store = (node: GraphNode): void => {
    if (isSource(node)) return
    stored.add(node)
    work.set(node, 0)
  }
  const measure = (node: GraphNode): number => {
    let total = costOf(node)
    for (const input of node.inputs) total += work.get(input)!
    work.set(node, total)
    return total
  }
  for (const node of nodes) {
    const { lower } = node.tensor.operation
    for (const input of lower.kind === "contract" ? node.inputs : []) {
      const shared = sharedBase(input)
      if (shared === undefined || isSource(shared) || work.get(shared)! <= 1) continue
      store(shared)
      for (let at = input; at !== shared; at = at.inputs[0]) work.set(at, 0)
    }
    for (const input of node.inputs) {
      const limit = lower.kind === "contract" ? cheap + 1 : cheap
      if (repeats(node, input) && work.get(input)! > limit) store(input)
    }
    if (lower.kind === "scatter" && !isZeros(node.inputs[0])) store(node.inputs[0])
    if (lower.kind === "call") for (const input of node.inputs) store(input)
    const byWork = [...node.inputs].sort((a, b) => work.get(b)! - work.get(a)!)
    for (const input of byWork) if (measure(node) > maximumWork) store(input)
    const whole = lower.kind !== "call" && lower.kind !== "result"
    const shared =
      whole && node.users.size > 1 && measure(node) > cheap && meeting(node) === undefined
    if (isAnchor(node) || lower.kind === "result" || node.isOutput || shared) store(node)
    else if (lower.kind === "call") work.set(node, 0)
    else measure(node)
  }
  return stored
}

/** Stores more until no kernel binds more buffers than a device can. */
const limitOperands = (nodes: ReadonlyArray<GraphNode>, stored: Set<GraphNode>): void => {
  const reads: Reads = new Map()
  for (const node of nodes) {
    const { kind } = node.tensor.operation.lower
    let own = readsOfOne(node, stored, reads)
    const limited = kind !== "source" && kind !== "result"
    // One binding is the output's.
    for (let more = limited; more && own.size >= maximumOperands;) {
      const candidates = node.inputs.filter((input) => !isSource(input) && !stored.has(input))
      const [most] = candidates.sort((a, b) => reads.get(b)!.size - reads.get(a)!.size)
      more = most !== undefined
      if (most !== undefined) stored.add(most)
      own = readsOfOne(node, stored, reads)
    }
    reads.set(node, own)
  }
}

export const planFusion = (nodes: ReadonlyArray<GraphNode>): FusionPlan => {
  const position = new Map(nodes.map((node, index) => [node, index]))
  const stored = chooseStored(nodes)
  limitOperands(nodes, stored)
  const reads = readsOf(nodes, stored)
  const anchor = new Map<GraphNode, GraphNode>()
  const claimed = new Set<GraphNode>()
  for (const node of nodes) {
    if (!stored.has(node) || !isAnchor(node)) continue
    const end = extend(node, stored, claimed, reads)
    anchor.set(end, node)
    if (end !== node) stored.delete(node)
    stored.add(end)
  }
  const order = [...stored].sort((a, b) => position.get(a)! - position.get(b)!)
  return { stored: order, anchor }
}

/**
 * Extends the kernel of `start` by the elementwise nodes that follow, as far as nothing else needs
 * what lies between: it all runs in the last step of the fold or product. Gives the last node.
 */
const extend = (
  start: GraphNode,
  stored: Set<GraphNode>,
  claimed: Set<GraphNode>,
  reads: Reads,
): GraphNode => {
  if (start.tensor.operation.lower.kind === "scatter") return start
  const bound = new Set(reads.get(start))
  let work = 0
  let end = start
  while (end === start || !stored.has(end)) {
    const region = meeting(end, (node) => !claimed.has(node))
    if (region === undefined) break
    const inside = new Set([end, ...region])
    const more = region
      .flatMap((node) => node.inputs)
      .filter((input) => !inside.has(input))
      .flatMap((input) => (isSource(input) || stored.has(input) ? [input] : [...reads.get(input)!]))
    work += region.reduce((total, node) => total + costOf(node), 0)
    if (new Set([...bound, ...more]).size + 1 > maximumOperands || work > maximumWork) break
    for (const operand of more) bound.add(operand)
    for (const node of region) claimed.add(node)
    end = region.at(-1)!
    for (const node of region) if (node !== end) stored.delete(node)
  }
  return end
}
