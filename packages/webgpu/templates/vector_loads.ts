import { Ir } from "@espalier/tensor"
import type { Bindings } from "./common.ts"

/** Elements that lie in memory as they are. */
export const isWholeWord = (dtype: string): boolean => ["f32", "i32", "u32"].includes(dtype)

/** True where a load at multiples of four of a variable starts at a multiple of four. */
const isAligned = ({ index }: Ir.Load, variable: number): boolean => {
  const { constant, terms } = Ir.linearForm(index)
  return (
    Ir.strideOf(index, variable) === 1 &&
    constant % 4 === 0 &&
    terms.every(
      ({ atom, coefficient }) =>
        coefficient % 4 === 0 || (atom.kind === "variable" && atom.index === variable),
    )
  )
}

/**
 * Those of `loads` that can read four elements at once, at four neighbouring values of a variable
 * that steps by four. A binding is an array of vectors or of numbers, so that `others`, and what
 * does not lie right, keep all loads of their binding from it.
 */
export const vectorLoads = (
  loads: ReadonlyArray<Ir.Load>,
  others: ReadonlyArray<Ir.Load>,
  variable: number,
  operands: ReadonlyArray<Ir.Operand>,
  { bindings, operandBinding }: Bindings,
): ReadonlyArray<Ir.Load> => {
  const fits = (load: Ir.Load): boolean =>
    isWholeWord(load.dtype) &&
    isAligned(load, variable) &&
    operands[load.operand].length % 4 === 0 &&
    bindings[operandBinding[load.operand]].pageLength === undefined
  const scalar = new Set(
    [...loads.filter((load) => !fits(load)), ...others].map((load) => operandBinding[load.operand]),
  )
  return loads.filter((load) => !scalar.has(operandBinding[load.operand]))
}

/** Bindings in which `operands` lie as vectors. */
export const withVectors = (bound: Bindings, operands: ReadonlyArray<number>): Bindings => {
  const vector = new Set(operands.map((operand) => bound.operandBinding[operand]))
  const bindings = bound.bindings.map((binding, i) =>
    vector.has(i) ? { ...binding, vector: true } : binding,
  )
  return { ...bound, bindings }
}

/** Every load that expressions make. */
export const loadsOf = (roots: ReadonlyArray<Ir.Expression>): ReadonlyArray<Ir.Load> =>
  Ir.reachable(roots).filter((node) => node.kind === "load")
