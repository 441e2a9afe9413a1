import { Ir } from "@espalier/tensor"
import { dependencies, nonNegative } from "./dependencies.ts"

/**
 * What packed codes look like: eight 4-bit codes share a word, so element j of a row is bits
 * `4 · (j mod 8)` of word `j / 8`. Four neighbours from a multiple of four on lie in the same word.
 * Here is told apart what is the same in all lanes from what only steps evenly.
 */

/** Lane l of the vector variable is `local + offset + l`; the local is a multiple of `multiple`. */
export interface AlignedLanes {
  readonly variable: number
  readonly multiple: number
  readonly offset: number
}

/** True where `x` is the vector variable plus multiples of four, and not negative. */
const runsAligned = (x: Ir.Expression, variable: number): boolean => {
  const { constant, terms } = Ir.linearForm(x)
  return (
    constant % 4 === 0 &&
    terms.every(({ atom, coefficient }) =>
      atom.kind === "variable" && atom.index === variable
        ? coefficient === 1
        : coefficient % 4 === 0 && isSteady(atom, variable),
    ) &&
    nonNegative(x)
  )
}

const computeSteady = (node: Ir.Expression, variable: number): boolean => {
  if (!dependencies(node).variables.has(variable)) return true
  if (node.kind === "variable") return false
  if (node.kind === "binary" && node.function === "divide" && node.right.kind === "constant") {
    const divisor = node.right.value
    if (divisor > 0 && divisor % 4 === 0 && node.left.dtype === "i32") {
      return runsAligned(node.left, variable)
    }
  }
  return Ir.children(node).every((child) => isSteady(child, variable))
}

const known = new WeakMap<Ir.Expression, Map<number, boolean>>()

/** True where an expression has one value in four lanes that begin at a multiple of four. */
export const isSteady = (node: Ir.Expression, variable: number): boolean => {
  let byVariable = known.get(node)
  if (byVariable === undefined) known.set(node, (byVariable = new Map()))
  const cached = byVariable.get(variable)
  if (cached !== undefined) return cached
  const computed = computeSteady(node, variable)
  byVariable.set(variable, computed)
  return computed
}

/** A code taken out of a word: `(word >> count) & mask`, the counts `step` apart from lane to lane. */
export interface LaneCode {
  readonly word: Ir.Expression
  readonly mask: number
  readonly step: number
  /** The count of lane 0: an expression, or its value where that is known now. */
  readonly count: Ir.Expression
  readonly first: number | undefined
}

const asMask = (node: Ir.Expression): number | undefined =>
  node.kind === "constant" && node.dtype !== "f32" ? node.value >>> 0 : undefined

/** Recognises a code whose four lanes can be taken out at once. */
export const laneCode = (node: Ir.Expression, lanes: AlignedLanes): LaneCode | undefined => {
  if (node.kind !== "binary" || node.function !== "and") return undefined
  const mask = asMask(node.right) ?? asMask(node.left)
  const shift = asMask(node.right) === undefined ? node.right : node.left
  if (mask === undefined || shift.kind !== "binary" || shift.function !== "shiftRight") {
    return undefined
  }
  const count = shift.right.kind === "cast" ? shift.right.operand : shift.right
  if (count.dtype !== "i32") return undefined
  const { constant, terms } = Ir.linearForm(count)
  const [term] = terms
  if (terms.length !== 1 || term.atom.kind !== "binary") return undefined
  const { atom, coefficient: step } = term
  if (atom.function !== "remainder" || atom.right.kind !== "constant") return undefined
  const codes = atom.right.value
  const { variable, multiple, offset } = lanes
  if (codes % 4 !== 0 || !runsAligned(atom.left, variable)) return undefined
  const inRange = constant >= 0 && step > 0 && 4 * step <= 32 && constant + step * (codes - 1) < 32
  if (!inRange || mask >= 2 ** step) return undefined
  const position = Ir.linearForm(atom.left)
  const still = position.terms.every(
    (other) =>
      other.coefficient % codes === 0 ||
      (other.atom.kind === "variable" && other.atom.index === variable),
  )
  const first =
    still && multiple % codes === 0
      ? constant + step * ((offset + position.constant) % codes)
      : undefined
  return { word: shift.left, mask, step, count, first }
}
