import { Ir, WgslBuilder } from "@espalier/tensor"
import type { Bindings, Lowered } from "./common.ts"
import {
  delinearize,
  frameIn,
  positions,
  product,
  recognizePosition,
  storeOutputs,
  writerFor,
} from "./common.ts"
import type { Strategy } from "./strategy.ts"
import { isWholeWord, loadsOf, vectorLoads, withVectors } from "./vector_loads.ts"

/** One invocation an element, or four neighbouring ones. */
export const lowerMap = (kernel: Ir.MapKernel, bound: Bindings, strategy: Strategy): Lowered => {
  const vectors = quadLoads(kernel, bound, strategy)
  if (vectors !== undefined) return lowerVectorMap(kernel, bound, strategy, vectors)
  const writer = writerFor(bound)
  const roots = kernel.outputs.map((output) => output.value)
  const workgroups = positions(writer, product(kernel.loops), strategy.lanes)
  const frame = frameIn()
  recognizePosition(frame, "position", kernel.loops, roots)
  delinearize(writer, frame, "position", kernel.loops, 0, roots)
  storeOutputs(writer, frame, kernel.outputs, "position")
  return { code: writer.shader(strategy.lanes), workgroups }
}

/** Expressions longer than this are not worth being written four times. */
const vectorNodes = 80

/** The loads that can read four elements at once; `undefined` where the kernel cannot. */
const quadLoads = (
  kernel: Ir.MapKernel,
  bound: Bindings,
  { vectorElements }: Strategy,
): ReadonlyArray<Ir.Load> | undefined => {
  const { loops, operands, outputs } = kernel
  const innermost = loops.length - 1
  if (loops.length === 0 || loops[innermost] % 4 !== 0) return undefined
  if (product(loops) < vectorElements) return undefined
  if (outputs.some(({ operand }) => bound.operandShift[operand] !== 0)) return undefined
  if (outputs.some(({ operand }) => !isWholeWord(operands[operand].dtype))) return undefined
  const roots = outputs.map((output) => output.value)
  if (Ir.reachable(roots).length > vectorNodes) return undefined
  const loads = loadsOf(roots)
  const quads = vectorLoads(loads, [], innermost, operands, bound)
  // An output's binding is one of vectors too.
  const written = new Set(outputs.map(({ operand }) => bound.operandBinding[operand]))
  const mixed = loads.some(
    (load) => written.has(bound.operandBinding[load.operand]) && !quads.includes(load),
  )
  return mixed ? undefined : quads
}

const lowerVectorMap = (
  kernel: Ir.MapKernel,
  bound: Bindings,
  strategy: Strategy,
  loads: ReadonlyArray<Ir.Load>,
): Lowered => {
  const { loops, outputs } = kernel
  const innermost = loops.length - 1
  const operands = [...loads, ...outputs].map(({ operand }) => operand)
  const writer = writerFor(withVectors(bound, operands))
  const roots = outputs.map((output) => output.value)
  const workgroups = positions(writer, product(loops) / 4, strategy.lanes, "quad")
  writer.line("let position = quad * 4;")
  const base = frameIn()
  delinearize(writer, base, "position", loops, 0, roots)
  const first = frameIn(base)
  recognizePosition(first, "position", loops, roots)
  const quads = loads.map((load) => {
    const [index] = writer.evaluate(first, [load.index])
    const name = writer.name("quad")
    const at = index === "position" ? "quad" : `${index} / 4`
    writer.line(`let ${name} = ${writer.bindingOf(load.operand)}[${at}];`)
    return name
  })
  const values = ["x", "y", "z", "w"].map((component, offset) => {
    const frame = frameIn(base)
    frame.variables[innermost] = `(${base.variables[innermost]} + ${offset})`
    loads.forEach((load, i) => frame.names.set(load, `${quads[i]}.${component}`))
    return writer.evaluate(frame, roots)
  })
  for (const [index, { operand }] of outputs.entries()) {
    const type = WgslBuilder.storageType(kernel.operands[operand].dtype)
    const parts = values.map((component) => component[index]).join(", ")
    writer.line(`${writer.bindingOf(operand)}[quad] = vec4<${type}>(${parts});`)
  }
  return { code: writer.shader(strategy.lanes), workgroups }
}
