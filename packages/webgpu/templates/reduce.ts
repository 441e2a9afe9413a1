import { Ir, WgslBuilder } from "@espalier/tensor"
import { Accumulator, isCommutative } from "./accumulator.ts"
import type { Bindings, Lowered, MutableFrame } from "./common.ts"
import {
  delinearize,
  frameIn,
  grid,
  groupIndex,
  loopBound,
  positions,
  product,
  storeOutputs,
} from "./common.ts"
import type { Strategy } from "./strategy.ts"

/** Longer folds are cut in blocks of this length, each with a sum of its own: rounding grows slower. */
const block = 128

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
  const writer = new WgslBuilder.Writer(bound.bindings, bound.operandBinding)
  return usesLanes(kernel, strategy)
    ? lanes(kernel, writer, strategy)
    : serial(kernel, writer, strategy)
}

const innerVariables = (kernel: Ir.ReduceKernel): ReadonlySet<number> =>
  new Set(kernel.reduceLoops.map((_, i) => kernel.loops.length + i))

/** Folds the elements at reduce position `r`. */
const fold = (
  kernel: Ir.ReduceKernel,
  writer: WgslBuilder.Writer,
  outer: WgslBuilder.Frame,
  accumulator: Accumulator,
  r: string,
): void => {
  const frame = frameIn(outer)
  delinearize(writer, frame, r, kernel.reduceLoops, kernel.loops.length, kernel.elements)
  accumulator.add(writer.evaluate(frame, kernel.elements), frame)
}

/** Opens the reduce loops as a nest and folds what is inside. */
const nest = (
  kernel: Ir.ReduceKernel,
  writer: WgslBuilder.Writer,
  outer: MutableFrame,
  accumulator: Accumulator,
  depth: number,
  strategy: Strategy,
): void => {
  if (depth === kernel.reduceLoops.length) {
    accumulator.add(writer.evaluate(frameIn(outer), kernel.elements), outer)
    return
  }
  const extent = kernel.reduceLoops[depth]
  const frame = frameIn(outer)
  if (extent === 1) {
    frame.variables[kernel.loops.length + depth] = "0"
    nest(kernel, writer, frame, accumulator, depth + 1, strategy)
    return
  }
  const variable = writer.name("r")
  frame.variables[kernel.loops.length + depth] = variable
  writer.block(
    `for (var ${variable} = 0; ${variable} < ${loopBound(extent, strategy)}; ${variable}++)`,
    () => {
      const rest = product(kernel.reduceLoops.slice(depth + 1))
      if (rest < block || depth + 1 === kernel.reduceLoops.length) {
        nest(kernel, writer, frame, accumulator, depth + 1, strategy)
        return
      }
      const part = new Accumulator(writer, kernel.combine)
      nest(kernel, writer, frame, part, depth + 1, strategy)
      accumulator.add(part.names, frame)
    },
  )
}

/** One invocation an output. */
const serial = (
  kernel: Ir.ReduceKernel,
  writer: WgslBuilder.Writer,
  strategy: Strategy,
): Lowered => {
  const { loops, reduceLoops, elements, outputs } = kernel
  const values = outputs.map((output) => output.value)
  const workgroups = positions(writer, product(loops), strategy.lanes)
  const outer = frameIn()
  delinearize(writer, outer, "position", loops, 0, [...elements, ...values])
  const inner = frameIn(outer)
  writer.hoist(inner, elements, innerVariables(kernel))
  const accumulator = new Accumulator(writer, kernel.combine)
  const length = product(reduceLoops)
  const long = reduceLoops.filter((extent) => extent > 1)
  if (long.length <= 1 && length > 2 * block) {
    writer.block(
      `for (var start = 0; start < ${loopBound(length, strategy)}; start += ${block})`,
      () => {
        const part = new Accumulator(writer, kernel.combine)
        writer.line(`let end = min(start + ${loopBound(block, strategy)}, ${length});`)
        writer.block("for (var r = start; r < end; r++)", () =>
          fold(kernel, writer, inner, part, "r"),
        )
        accumulator.add(part.names, inner)
      },
    )
  } else nest(kernel, writer, inner, accumulator, 0, strategy)
  storeOutputs(writer, frameIn(outer, accumulator.names), outputs, "position")
  return { code: writer.shader(strategy.lanes), workgroups }
}

/**
 * One workgroup an output: each lane folds its share, then a tree of fixed shape joins
 * neighbours, so that the order of the elements is kept. Lanes take turns where order is free.
 */
const lanes = (
  kernel: Ir.ReduceKernel,
  writer: WgslBuilder.Writer,
  strategy: Strategy,
): Lowered => {
  const { loops, reduceLoops, elements, outputs, combine } = kernel
  const count = strategy.reduceLanes
  const groups = product(loops)
  const length = product(reduceLoops)
  const workgroups = grid(groups)
  const shared = combine.dtypes.map((dtype) => {
    const name = writer.name("shared")
    writer.declare(`var<workgroup> ${name}: array<${WgslBuilder.valueType(dtype)}, ${count}>;`)
    return name
  })
  writer.line(`let position = ${groupIndex(groups)};`)
  if (workgroups[0] * workgroups[1] !== groups)
    writer.line(`if (position >= ${groups}) { return; }`)
  const outer = frameIn()
  const values = outputs.map((output) => output.value)
  delinearize(writer, outer, "position", loops, 0, [...elements, ...values])
  const inner = frameIn(outer)
  writer.hoist(inner, elements, innerVariables(kernel))
  const accumulator = new Accumulator(writer, combine)
  const share = Math.ceil(length / count)
  const header = isCommutative(combine)
    ? `for (var r = i32(lane); r < ${loopBound(length, strategy)}; r += ${count})`
    : `for (var r = i32(lane) * ${share}; r < min(i32(lane + 1u) * ${share}, ${length}); r++)`
  writer.block(header, () => fold(kernel, writer, inner, accumulator, "r"))
  shared.forEach((name, i) => writer.line(`${name}[lane] = ${accumulator.names[i]};`))
  writer.block(`for (var step = 1u; step < ${count}u; step = step << 1u)`, () => {
    writer.line("workgroupBarrier();")
    writer.block(`if ((lane & (2u * step - 1u)) == 0u)`, () => {
      const right = shared.map((name) => `${name}[lane + step]`)
      accumulator.assign(accumulator.names, right, inner)
      shared.forEach((name, i) => writer.line(`${name}[lane] = ${accumulator.names[i]};`))
    })
  })
  writer.block("if (lane == 0u)", () =>
    storeOutputs(writer, frameIn(outer, accumulator.names), outputs, "position"),
  )
  return { code: writer.shader(count), workgroups }
}
