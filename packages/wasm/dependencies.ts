import { Ir } from "@espalier/tensor"

/** What an expression needs before it can be computed. */
export interface Dependencies {
  readonly variables: ReadonlySet<number>
  readonly slots: ReadonlySet<number>
}

const known = new WeakMap<Ir.Expression, Dependencies>()
const none: ReadonlySet<number> = new Set()

const union = (sets: ReadonlyArray<ReadonlySet<number>>): ReadonlySet<number> => {
  const filled = sets.filter((set) => set.size > 0)
  if (filled.length <= 1) return filled[0] ?? none
  return new Set(filled.flatMap((set) => [...set]))
}

/** The loop variables and arguments in an expression. */
export const dependencies = (expression: Ir.Expression): Dependencies => {
  const cached = known.get(expression)
  if (cached !== undefined) return cached
  const children = Ir.children(expression).map(dependencies)
  const made: Dependencies = {
    variables:
      expression.kind === "variable"
        ? new Set([expression.index])
        : union(children.map((child) => child.variables)),
    slots:
      expression.kind === "argument"
        ? new Set([expression.slot])
        : union(children.map((child) => child.slots)),
  }
  known.set(expression, made)
  return made
}

/** One summand of an element index. */
export interface Term {
  readonly atom: Ir.Expression
  readonly coefficient: number
}

/** The index of a load or store, taken apart. */
export interface Access {
  readonly operand: number
  readonly index: Ir.Expression
  /** Accesses with the same key differ by constants only. */
  readonly key: string
  readonly terms: ReadonlyArray<Term>
  readonly constant: number
  /** The constant is not part of the address that the key names; it goes into the instruction. */
  readonly constantRides: boolean
}

const accesses = new WeakMap<Ir.Expression, Map<number, Access>>()

/** Takes the element index of an access to `operand` apart. */
export const access = (operand: number, index: Ir.Expression): Access => {
  let byOperand = accesses.get(index)
  if (byOperand === undefined) accesses.set(index, (byOperand = new Map()))
  const cached = byOperand.get(operand)
  if (cached !== undefined) return cached
  const { constant, terms } = Ir.linearForm(index)
  // A constant may ride along as the instruction's offset only where the address without it is
  // sure to lie inside the buffer: positive steps of loop variables.
  const rides = constant >= 0 && terms.every((t) => t.coefficient > 0 && t.atom.kind === "variable")
  const names = terms.map((t) => `${t.atom.id}*${t.coefficient}`).sort()
  const made: Access = {
    operand,
    index,
    key: `${operand}:${names.join("+")}${rides ? "" : `:${constant}`}`,
    terms,
    constant,
    constantRides: rides,
  }
  byOperand.set(operand, made)
  return made
}

/** The smallest value an index expression can take is at least 0, as far as a quick look can tell. */
export const nonNegative = (node: Ir.Expression): boolean => {
  switch (node.kind) {
    case "constant":
      return node.value >= 0
    case "variable":
      return true
    case "binary":
      switch (node.function) {
        case "add":
        case "multiply":
        case "divide":
        case "minimum":
        case "and":
          return nonNegative(node.left) && nonNegative(node.right)
        case "remainder":
          return nonNegative(node.left)
        case "maximum":
          return nonNegative(node.left) || nonNegative(node.right)
        default:
          return node.dtype === "bool"
      }
    case "select":
      return nonNegative(node.whenTrue) && nonNegative(node.whenFalse)
    default:
      return node.dtype === "bool"
  }
}

/** How an access moves with a variable; `undefined` when not by constant steps. */
export const strideAlong = (target: Access, variable: number): number | undefined => {
  let stride = 0
  for (const { atom, coefficient } of target.terms) {
    if (atom.kind === "variable" && atom.index === variable) stride += coefficient
    else if (dependencies(atom).variables.has(variable)) return undefined
  }
  return stride
}
