import type { Ir } from "@espalier/tensor"
import { Wgsl } from "@espalier/tensor"
import type { Bindings, Lowered } from "./common.ts"
import {
  delinearize,
  frameIn,
  positions,
  product,
  recognizePosition,
  storeOutputs,
} from "./common.ts"
import type { Strategy } from "./strategy.ts"

/** One invocation an element. */
export const lowerMap = (kernel: Ir.MapKernel, bound: Bindings, strategy: Strategy): Lowered => {
  const writer = new Wgsl.Writer(bound.bindings, bound.operandBinding)
  const roots = kernel.outputs.map((output) => output.value)
  const workgroups = positions(writer, product(kernel.loops), strategy.lanes)
  const frame = frameIn()
  recognizePosition(frame, "position", kernel.loops, roots)
  delinearize(writer, frame, "position", kernel.loops, 0, roots)
  storeOutputs(writer, frame, kernel.outputs, "position")
  return { code: writer.shader(strategy.lanes), workgroups }
}
