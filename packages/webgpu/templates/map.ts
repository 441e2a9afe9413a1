import type { Ir } from "@espalier/tensor"
import { Wgsl } from "@espalier/tensor"
import type { Bindings, Lowered } from "./common.ts"
import { delinearize, frameOf, positions, product, recognizePosition } from "./common.ts"
import type { Strategy } from "./strategy.ts"

/** One invocation an element. */
export const lowerMap = (kernel: Ir.MapKernel, bound: Bindings, strategy: Strategy): Lowered => {
  const writer = new Wgsl.Writer(bound.bindings, bound.operandBinding)
  const roots = kernel.outputs.map((output) => output.value)
  const workgroups = positions(writer, product(kernel.loops), strategy.lanes)
  const variables: Array<string> = []
  const frame = frameOf(variables)
  recognizePosition(frame, "position", kernel.loops, roots)
  delinearize(writer, "position", kernel.loops, 0, variables, unnamed(roots, frame))
  const values = writer.evaluate(frame, roots)
  for (const [index, output] of kernel.outputs.entries()) {
    writer.store(output.operand, "position", values[index]!)
  }
  return { code: writer.shader(strategy.lanes), workgroups }
}
