import type { WgslBuilder } from "@espalier/tensor"
import { Ir } from "@espalier/tensor"
import type { Bindings, Lowered } from "./common.ts"
import {
  delinearize,
  frameIn,
  grid,
  groupIndex,
  positions,
  product,
  storeOutputs,
  writerFor,
} from "./common.ts"
import type { Fold } from "./fold.ts"
import { foldSerially, foldShare } from "./fold.ts"
import { LaneTree } from "./lane_tree.ts"
import type { Strategy } from "./strategy.ts"

/** True where neighbouring reduce iterations read neighbouring elements. */
const walksRows = (kernel: Ir.ReduceKernel): boolean => {
  const last = kernel.loops.length + kernel.reduceLoops.length - 1
  return Ir.reachable(kernel.elements).some(
    (node) => node.kind === "load" && Ir.strideOf(node.index, last) === 1,
  )
}

const usesLanes = (kernel: Ir.ReduceKernel, strategy: Strategy): boolean => {
  if (strategy.reduce !== "auto") return strategy.reduce === "lanes"
  const outputs = product(kernel.loops)
  const length = product(kernel.reduceLoops)
  if (length < 2 * strategy.reduceLanes) return false
  return outputs < strategy.reduceOutputs || (strategy.coalesce && walksRows(kernel))
}

export const lowerReduce = (
  kernel: Ir.ReduceKernel,
  bound: Bindings,
  strategy: Strategy,
): Lowered => {
  const writer = writerFor(bound)
  return usesLanes(kernel, strategy)
    ? lanes(kernel, writer, strategy)
    : serial(kernel, writer, strategy)
}

const foldOf = ({ elements, combine, reduceLoops, loops }: Ir.ReduceKernel): Fold => ({
  elements,
  combine,
  reduceLoops,
  first: loops.length,
})

/** One invocation an output. */
const serial = (
  kernel: Ir.ReduceKernel,
  writer: WgslBuilder.Writer,
  strategy: Strategy,
): Lowered => {
  const { loops, elements, outputs } = kernel
  const values = outputs.map((output) => output.value)
  const workgroups = positions(writer, product(loops), strategy.lanes)
  const outer = frameIn()
  delinearize(writer, outer, "position", loops, 0, [...elements, ...values])
  const accumulator = foldSerially(foldOf(kernel), writer, outer, strategy)
  storeOutputs(writer, frameIn(outer, accumulator.names), outputs, "position")
  return { code: writer.shader(strategy.lanes), workgroups }
}

/** One workgroup an output: each lane folds its share, then a tree of fixed shape joins them. */
const lanes = (
  kernel: Ir.ReduceKernel,
  writer: WgslBuilder.Writer,
  strategy: Strategy,
): Lowered => {
  const { loops, elements, outputs } = kernel
  const count = strategy.reduceLanes
  const groups = product(loops)
  const workgroups = grid(groups)
  const tree = new LaneTree(writer, count, strategy)
  writer.line(`let position = ${groupIndex(groups)};`)
  if (workgroups[0] * workgroups[1] !== groups)
    writer.line(`if (position >= ${groups}) { return; }`)
  const outer = frameIn()
  const values = outputs.map((output) => output.value)
  delinearize(writer, outer, "position", loops, 0, [...elements, ...values])
  const accumulator = foldShare(foldOf(kernel), writer, outer, "i32(lane)", count, strategy)
  tree.join(accumulator, count, outer)
  writer.block("if (lane == 0u)", () =>
    storeOutputs(writer, frameIn(outer, accumulator.names), outputs, "position"),
  )
  return { code: writer.shader(count), workgroups }
}
