import type { DType } from "../dtype.ts"
import type { Expression } from "../ir/expression.ts"
import { ExpressionBuilder } from "../ir/expression_builder.ts"
import type { Kernel, MapKernel, Operand } from "../ir/kernel.ts"
import type { Attributes, LowerContext } from "../ops/operation.ts"
import { sameShape, sizeOf } from "../shape.ts"
import { isZeros } from "./fusion.ts"
import type { GraphNode } from "./graph.ts"

/** A kernel and the graph nodes whose buffers its operands stand for. */
export interface LoweredKernel {
  readonly kernel: Kernel
  readonly buffers: ReadonlyArray<GraphNode>
}

type Index = ReadonlyArray<Expression>

/** Turns one stored node, with everything inlined into it, into one kernel. */
class KernelLowering {
  readonly builder = new ExpressionBuilder()
  readonly operands: Array<Operand> = []
  readonly buffers: Array<GraphNode> = []
  readonly names: Array<string> = []
  readonly #stored: ReadonlySet<GraphNode>
  readonly #target: GraphNode
  readonly #memo = new Map<string, Expression>()
  /** The value of the anchor where the epilogue begins. */
  anchorValue: { readonly node: GraphNode; readonly value: Expression } | undefined

  constructor(target: GraphNode, stored: ReadonlySet<GraphNode>) {
    this.#target = target
    this.#stored = stored
  }

  operand(node: GraphNode, access: Operand["access"]): number {
    const known = this.buffers.indexOf(node)
    if (known >= 0) return known
    const { dtype, shape } = node.tensor
    this.operands.push({ dtype, length: sizeOf(shape), access })
    this.buffers.push(node)
    return this.buffers.length - 1
  }

  context(node: GraphNode): LowerContext<Attributes> {
    return {
      builder: this.builder,
      attributes: node.tensor.attributes,
      inputs: node.inputs.map((input) => input.tensor),
      output: node.tensor,
    }
  }

  /** The value of `node` at `index`: a load where it is stored, an expression where it is not. */
  value(node: GraphNode, index: Index): Expression {
    if (this.anchorValue?.node === node) return this.anchorValue.value
    const lower = node.tensor.operation.lower
    const isBuffer = lower.kind === "source" || this.#stored.has(node)
    if (isBuffer && node !== this.#target) {
      const position = this.builder.linearize(index, node.tensor.shape)
      return this.builder.load(this.operand(node, "read"), position, node.tensor.dtype)
    }
    const key = `${node.id}:${index.map((i) => i.id).join(",")}`
    const known = this.#memo.get(key)
    if (known !== undefined) return known
    const made = this.#inline(node, index)
    this.#memo.set(key, made)
    return made
  }

  #inline(node: GraphNode, index: Index): Expression {
    const { lower } = node.tensor.operation
    const context = this.context(node)
    if (lower.kind === "pointwise") {
      const operands = node.inputs.map((input) => this.value(input, index))
      this.names.push(node.tensor.operation.name)
      return lower.value(context, operands)
    }
    if (lower.kind === "view") {
      return lower.value(context, index, (input, at) => this.value(node.inputs[input], at))
    }
    throw new Error(`${node.tensor.operation.name} cannot be computed in place`)
  }

  variables(extents: ReadonlyArray<number>, from = 0): ReadonlyArray<Expression> {
    return extents.map((extent, i) => this.builder.variable(from + i, extent))
  }

  /** `index` over `from`'s shape as an index over the target's: they hold the same elements. */
  targetIndex(from: ReadonlyArray<number>, index: Index): Index {
    const { shape } = this.#target.tensor
    if (sameShape(from, shape)) return index
    return this.builder.delinearize(this.builder.linearize(index, from), shape)
  }

  name(anchor?: string): string {
    const chain = [...new Set(this.names)].slice(0, 6)
    return [...(anchor === undefined ? [] : [anchor]), ...chain].join("+") || "copy"
  }
}

/** Reads every element and writes it again: a second output, an input passed through, a carry. */
export const copyKernel = (length: number, dtype: DType): MapKernel => {
  const builder = new ExpressionBuilder()
  const value = builder.load(1, builder.variable(0, length), dtype)
  return {
    kind: "map",
    name: "copy",
    loops: [length],
    operands: [
      { dtype, length, access: "write" },
      { dtype, length, access: "read" },
    ],
    outputs: [{ operand: 0, value }],
  }
}

export const lowerNode = (
  target: GraphNode,
  anchor: GraphNode | undefined,
  stored: ReadonlySet<GraphNode>,
): LoweredKernel => {
  const lowering = new KernelLowering(target, stored)
  const output = lowering.operand(target, "write")
  const kernel =
    anchor === undefined
      ? lowerMap(lowering, target, output)
      : lowerAnchor(lowering, target, anchor, output)
  return { kernel, buffers: lowering.buffers }
}

const lowerMap = (lowering: KernelLowering, target: GraphNode, output: number): Kernel => {
  const loops = target.tensor.shape
  const value = lowering.value(target, lowering.variables(loops))
  return {
    kind: "map",
    name: lowering.name(),
    loops,
    operands: lowering.operands,
    outputs: [{ operand: output, value }],
  }
}

const lowerAnchor = (
  lowering: KernelLowering,
  target: GraphNode,
  anchor: GraphNode,
  output: number,
): Kernel => {
  const { builder } = lowering
  const { lower, name } = anchor.tensor.operation
  const context = lowering.context(anchor)
  const shape = anchor.tensor.shape
  const { attributes } = anchor.tensor
  const finish = (result: Expression, variables: Index) => {
    lowering.anchorValue = { node: anchor, value: result }
    const value =
      target === anchor ? result : lowering.value(target, lowering.targetIndex(shape, variables))
    return {
      name: lowering.name(name),
      operands: lowering.operands,
      outputs: [{ operand: output, value }],
    }
  }
  switch (lower.kind) {
    case "reduce": {
      const from = anchor.inputs[0].tensor.shape
      const axes = lower.axes(attributes)
      const reduceLoops = axes.map((axis) => from[axis])
      const outer = lowering.variables(shape)
      const inner = lowering.variables(reduceLoops, shape.length)
      let kept = 0
      const index = from.map((_, axis) =>
        axes.includes(axis) ? inner[axes.indexOf(axis)] : outer[kept++],
      )
      const value = lowering.value(anchor.inputs[0], index)
      const elements = lower.elements(context, value, builder.linearize(inner, reduceLoops))
      const combine = lower.combine(context)
      const accumulators = combine.dtypes.map((dtype, slot) => builder.argument(slot, dtype))
      return {
        kind: "reduce",
        loops: shape,
        reduceLoops,
        elements,
        combine,
        ...finish(lower.result(context, accumulators), outer),
      }
    }
    case "scan": {
      const variables = lowering.variables(shape)
      const elements = [lowering.value(anchor.inputs[0], variables)]
      const combine = lower.combine(context)
      return {
        kind: "scan",
        loops: shape.slice(0, -1),
        length: shape.at(-1)!,
        elements,
        combine,
        ...finish(builder.argument(0, combine.dtypes[0]), variables),
      }
    }
    case "contract": {
      const rank = shape.length
      const batch = shape.slice(0, -2)
      const [m, n] = [shape[rank - 2], shape[rank - 1]]
      const k = anchor.inputs[0].tensor.shape.at(-1)!
      const variables = lowering.variables([...batch, m, n, k])
      const lead = variables.slice(0, rank - 2)
      const [vm, vn, vk] = [variables[rank - 2], variables[rank - 1], variables[rank]]
      const left = lowering.value(anchor.inputs[0], [...lead, vm, vk])
      const right = lowering.value(anchor.inputs[1], [...lead, vk, vn])
      return {
        kind: "contract",
        batch,
        m,
        n,
        k,
        left,
        right,
        ...finish(builder.argument(0, anchor.tensor.dtype), variables.slice(0, rank)),
      }
    }
    case "scatter": {
      const [into, rows, updates] = [anchor.inputs[0], anchor.inputs[1], anchor.inputs[2]]
      const initial = isZeros(into) ? undefined : lowering.operand(into, "read")
      const count = rows.tensor.shape[0]
      const inner = sizeOf(shape.slice(1))
      const [t, d] = lowering.variables([count, inner])
      const row = lowering.value(rows, [t])
      const value = lowering.value(updates, [t, ...builder.delinearize(d, shape.slice(1))])
      return {
        kind: "scatter",
        updates: count,
        rows: shape[0],
        inner,
        row,
        value,
        mode: lower.mode,
        initial,
        name,
        operands: lowering.operands,
        outputs: [{ operand: output, value }],
      }
    }
    default:
      throw new Error(`${name} starts no kernel`)
  }
}
