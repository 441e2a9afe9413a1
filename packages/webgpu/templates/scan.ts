import type { Ir } from "@espalier/tensor"
import { WgslBuilder } from "@espalier/tensor"
import { Accumulator } from "./accumulator.ts"
import type { Bindings, Lowered } from "./common.ts"
import {
  delinearize,
  frameIn,
  grid,
  groupIndex,
  loopBound,
  positions,
  product,
  storeOutputs,
  writerFor,
} from "./common.ts"
import type { Strategy } from "./strategy.ts"

const usesLanes = ({ loops, length }: Ir.ScanKernel, strategy: Strategy): boolean => {
  if (strategy.scan !== "auto") return strategy.scan === "lanes"
  return length >= 2 * strategy.scanLanes && product(loops) < strategy.reduceOutputs
}

/** A row by one invocation, or by a workgroup where there are few rows. */
export const lowerScan = (kernel: Ir.ScanKernel, bound: Bindings, strategy: Strategy): Lowered => {
  const writer = writerFor(bound)
  return usesLanes(kernel, strategy)
    ? lanes(kernel, writer, strategy)
    : serial(kernel, writer, strategy)
}

const rootsOf = ({ elements, outputs }: Ir.ScanKernel): ReadonlyArray<Ir.Expression> => [
  ...elements,
  ...outputs.map((output) => output.value),
]

/** One invocation a row, which it walks from its start. */
const serial = (kernel: Ir.ScanKernel, writer: WgslBuilder.Writer, strategy: Strategy): Lowered => {
  const { loops, length, elements, outputs } = kernel
  const workgroups = positions(writer, product(loops), strategy.lanes)
  const outer = frameIn()
  delinearize(writer, outer, "position", loops, 0, rootsOf(kernel))
  writer.hoist(outer, elements, new Set([loops.length]))
  const accumulator = new Accumulator(writer, kernel.combine)
  writer.block(`for (var step = 0; step < ${loopBound(length, strategy)}; step++)`, () => {
    const inner = frameIn(outer)
    inner.variables[loops.length] = length === 1 ? "0" : "step"
    accumulator.add(writer.evaluate(inner, elements), inner)
    storeOutputs(writer, frameIn(inner, accumulator.names), outputs, `position * ${length} + step`)
  })
  return { code: writer.shader(strategy.lanes), workgroups }
}

/**
 * One workgroup a row, a block of it at a time, an element a lane: in log2(lanes) rounds every lane
 * joins what the lane 1, 2, 4, … places before it holds, then all take up what came before the
 * block. Two halves of workgroup memory take turns, so that a round needs one barrier.
 */
const lanes = (kernel: Ir.ScanKernel, writer: WgslBuilder.Writer, strategy: Strategy): Lowered => {
  const { loops, length, elements, outputs, combine } = kernel
  const count = strategy.scanLanes
  const groups = product(loops)
  const workgroups = grid(groups)
  const shared = combine.dtypes.map((dtype) => {
    const name = writer.name("shared")
    const type = WgslBuilder.valueType(dtype)
    writer.declare(`var<workgroup> ${name}: array<${type}, ${2 * count}>;`)
    return name
  })
  writer.line(`let position = ${groupIndex(groups)};`)
  if (workgroups[0] * workgroups[1] !== groups)
    writer.line(`if (position >= ${groups}) { return; }`)
  const outer = frameIn()
  delinearize(writer, outer, "position", loops, 0, rootsOf(kernel))
  writer.hoist(outer, elements, new Set([loops.length]))
  const carry = new Accumulator(writer, combine)
  writer.block(
    `for (var start = 0; start < ${loopBound(length, strategy)}; start += ${count})`,
    () => {
      writer.line("let step = start + i32(lane);")
      const own = new Accumulator(writer, combine)
      writer.block(`if (step < ${length})`, () => {
        const inner = frameIn(outer)
        inner.variables[loops.length] = "step"
        const values = writer.evaluate(inner, elements)
        own.names.forEach((name, i) => writer.line(`${name} = ${values[i]};`))
      })
      const keep = (half: string) =>
        shared.forEach((name, i) => writer.line(`${name}[${half} + lane] = ${own.names[i]};`))
      writer.line("var half = 0u;")
      keep("half")
      writer.line("workgroupBarrier();")
      writer.block(`for (var reach = 1u; reach < ${count}u; reach = reach << 1u)`, () => {
        writer.block("if (lane >= reach)", () =>
          own.assign(
            shared.map((name) => `${name}[half + lane - reach]`),
            own.names,
            outer,
          ),
        )
        writer.line(`half = ${count}u - half;`)
        keep("half")
        writer.line("workgroupBarrier();")
      })
      own.assign(carry.names, own.names, outer)
      writer.block(`if (step < ${length})`, () => {
        const inner = frameIn(outer, own.names)
        inner.variables[loops.length] = "step"
        storeOutputs(writer, inner, outputs, `position * ${length} + step`)
      })
      const last = shared.map((name) => `${name}[half + ${count - 1}u]`)
      carry.assign(carry.names, last, outer)
      // The next block begins to write where some lane may still be reading.
      writer.line("workgroupBarrier();")
    },
  )
  return { code: writer.shader(count), workgroups }
}
