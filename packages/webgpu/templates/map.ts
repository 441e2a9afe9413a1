import { Ir, WgslBuilder } from "@espalier/tensor"
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

/** One invocation an element, or four neighbouring ones. */
export const lowerMap = (kernel: Ir.MapKernel, bound: Bindings, strategy: Strategy): Lowered => {
  const vectors = vectorLoads(kernel, bound, strategy)
  if (vectors !== undefined) return lowerVectorMap(kernel, bound, strategy, vectors)
  const writer = new WgslBuilder.Writer(bound.bindings, bound.operandBinding)
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

const wholeWords = (dtype: string): boolean => ["f32", "i32", "u32"].includes(dtype)

/** True where a load at multiples of four of the innermost variable starts at a multiple of four. */
const isAligned = ({ index }: Ir.Load, innermost: number): boolean => {
  const { constant, terms } = Ir.linearForm(index)
  return (
    Ir.strideOf(index, innermost) === 1 &&
    constant % 4 === 0 &&
    terms.every(
      ({ atom, coefficient }) =>
        coefficient % 4 === 0 || (atom.kind === "variable" && atom.index === innermost),
    )
  )
}

/** The loads that can read four elements at once; `undefined` where the kernel cannot. */
const vectorLoads = (
  kernel: Ir.MapKernel,
  bound: Bindings,
  { vectorElements }: Strategy,
): ReadonlyArray<Ir.Load> | undefined => {
  const { loops, operands, outputs } = kernel
  const innermost = loops.length - 1
  if (loops.length === 0 || loops[innermost] % 4 !== 0) return undefined
  if (product(loops) < vectorElements) return undefined
  if (outputs.some(({ operand }) => !wholeWords(operands[operand].dtype))) return undefined
  const nodes = Ir.reachable(outputs.map((output) => output.value))
  if (nodes.length > vectorNodes) return undefined
  const loads = nodes.filter((node) => node.kind === "load")
  const scalar = new Set(
    loads
      .filter((load) => !wholeWords(load.dtype) || !isAligned(load, innermost))
      .map((load) => bound.operandBinding[load.operand]),
  )
  if (outputs.some(({ operand }) => scalar.has(bound.operandBinding[operand]))) return undefined
  return loads.filter(({ operand }) => {
    const { length } = operands[operand]
    return length % 4 === 0 && !scalar.has(bound.operandBinding[operand])
  })
}

const lowerVectorMap = (
  kernel: Ir.MapKernel,
  bound: Bindings,
  strategy: Strategy,
  loads: ReadonlyArray<Ir.Load>,
): Lowered => {
  const { loops, outputs } = kernel
  const innermost = loops.length - 1
  const vector = new Set([...loads, ...outputs].map(({ operand }) => bound.operandBinding[operand]))
  const writer = new WgslBuilder.Writer(
    bound.bindings.map((binding, i) => (vector.has(i) ? { ...binding, vector: true } : binding)),
    bound.operandBinding,
  )
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
