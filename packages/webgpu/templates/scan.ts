import type { Ir } from "@espalier/tensor"
import { WgslBuilder } from "@espalier/tensor"
import { Accumulator } from "./accumulator.ts"
import type { Bindings, Lowered } from "./common.ts"
import { delinearize, frameIn, loopBound, positions, product, storeOutputs } from "./common.ts"
import type { Strategy } from "./strategy.ts"

/** One invocation a row, which it walks from its start. */
export const lowerScan = (kernel: Ir.ScanKernel, bound: Bindings, strategy: Strategy): Lowered => {
  const writer = new WgslBuilder.Writer(bound.bindings, bound.operandBinding)
  const { loops, length, elements, outputs } = kernel
  const roots = [...elements, ...outputs.map((output) => output.value)]
  const workgroups = positions(writer, product(loops), strategy.lanes)
  const outer = frameIn()
  delinearize(writer, outer, "position", loops, 0, roots)
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
