import { Ir, Wgsl } from "@espalier/tensor"

/** A kernel as WGSL, and how many workgroups run it. */
export interface Lowered {
  readonly code: string
  readonly workgroups: readonly [number, number, number]
}

/** Where the operands of a kernel are bound; operands that share memory share a binding. */
export interface Bindings {
  readonly bindings: ReadonlyArray<Wgsl.Binding>
  readonly operandBinding: ReadonlyArray<number>
}

/** Workgroups along one dimension that every adapter allows. */
const maximumGroups = 65535

export const product = (extents: ReadonlyArray<number>): number =>
  extents.reduce((total, extent) => total * extent, 1)

/** Spreads a linear number of workgroups over two dimensions. */
export const grid = (groups: number): readonly [number, number, number] => {
  if (groups <= maximumGroups) return [groups, 1, 1]
  const rows = Math.ceil(groups / maximumGroups)
  return [Math.ceil(groups / rows), rows, 1]
}

/** The linear number of this workgroup in a {@link grid} of `groups`, as an `i32`. */
export const groupIndex = (groups: number): string => {
  const [width, rows] = grid(groups)
  return rows === 1 ? "i32(group.x)" : `i32(group.y * ${width}u + group.x)`
}

/**
 * Opens an entry point in which each invocation has one `position` in `[0, count)` and answers the
 * grid that covers them.
 */
export const positions = (
  writer: Wgsl.Writer,
  count: number,
  lanes: number,
): readonly [number, number, number] => {
  const groups = Math.ceil(count / lanes)
  writer.line(`let position = ${groupIndex(groups)} * ${lanes} + i32(lane);`)
  const [width, rows] = grid(groups)
  if (width * rows * lanes !== count) writer.line(`if (position >= ${count}) { return; }`)
  return [width, rows, 1]
}

/**
 * Names the loop variables `first …` of the row-major `position` in `extents`, those that `roots`
 * use; variables of other loops keep the text they have in `names`.
 */
export const delinearize = (
  writer: Wgsl.Writer,
  position: string,
  extents: ReadonlyArray<number>,
  first: number,
  names: Array<string>,
  roots: ReadonlyArray<Ir.Expression>,
): void => {
  const used = new Set<number>()
  for (const node of Ir.reachable(roots)) if (node.kind === "variable") used.add(node.index)
  let stride = product(extents)
  for (const [axis, extent] of extents.entries()) {
    const outermost = stride === product(extents)
    stride /= extent
    const index = first + axis
    names[index] = "0"
    if (extent === 1 || !used.has(index)) continue
    const quotient = stride === 1 ? position : `${position} / ${stride}`
    const text = outermost ? quotient : `(${quotient}) % ${extent}`
    if (text === position) {
      names[index] = position
      continue
    }
    names[index] = writer.name("v")
    writer.line(`let ${names[index]} = ${text};`)
  }
}

/**
 * Index expressions that are the row-major position itself (a dense operand read in the order of
 * the loops) need no arithmetic: they get the position's name.
 */
export const recognizePosition = (
  frame: Wgsl.Frame,
  position: string,
  extents: ReadonlyArray<number>,
  roots: ReadonlyArray<Ir.Expression>,
): void => {
  const strides = new Map<number, number>()
  let stride = 1
  for (let axis = extents.length - 1; axis >= 0; axis--) {
    if (extents[axis]! > 1) strides.set(axis, stride)
    stride *= extents[axis]!
  }
  for (const node of Ir.reachable(roots)) {
    if (node.kind !== "binary" || node.function !== "add" || node.dtype !== "i32") continue
    const { constant, terms } = Ir.linearForm(node)
    const dense =
      constant === 0 &&
      terms.length === strides.size &&
      terms.every(
        ({ atom, coefficient }) =>
          atom.kind === "variable" && strides.get(atom.index) === coefficient,
      )
    if (dense) frame.names.set(node, position)
  }
}

/** A frame whose names are its own, over the variables and arguments given. */
export const frameOf = (
  variables: ReadonlyArray<string>,
  args: ReadonlyArray<string> = [],
  outer?: Wgsl.Frame,
): Wgsl.Frame => ({ variables, arguments: args, names: new Map(outer?.names) })
