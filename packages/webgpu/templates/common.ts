import { Ir, WgslBuilder } from "@espalier/tensor"
import type { Strategy } from "./strategy.ts"

/** A kernel as WGSL, and how many workgroups run it. */
export interface Lowered {
  readonly code: string
  readonly workgroups: readonly [number, number, number]
}

/** Where the operands of a kernel are bound; operands that share memory share a binding. */
export interface Bindings {
  readonly bindings: ReadonlyArray<WgslBuilder.Binding>
  readonly operandBinding: ReadonlyArray<number>
  /** Where outputs begin in their bindings, in elements. */
  readonly operandShift: ReadonlyArray<number>
}

/** A writer of a shader over these bindings. */
export const writerFor = ({ bindings, operandBinding, operandShift }: Bindings) =>
  new WgslBuilder.Writer(bindings, operandBinding, operandShift)

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

/**
 * A loop bound. Where loops should stay loops, the compiler is kept from knowing it: no workgroup
 * has a third coordinate, but that is known at run time only.
 */
export const loopBound = (extent: number, { unroll }: Strategy): string =>
  unroll || extent < 5 ? `${extent}` : `${extent} + i32(group.z)`

/** The linear number of this workgroup in a {@link grid} of `groups`, as an `i32`. */
export const groupIndex = (groups: number): string => {
  const [width, rows] = grid(groups)
  return rows === 1 ? "i32(group.x)" : `i32(group.y * ${width}u + group.x)`
}

/**
 * Opens an entry point in which each invocation has one `name` in `[0, count)` and answers the grid
 * that covers them.
 */
export const positions = (
  writer: WgslBuilder.Writer,
  count: number,
  lanes: number,
  name = "position",
): readonly [number, number, number] => {
  const groups = Math.ceil(count / lanes)
  writer.line(`let ${name} = ${groupIndex(groups)} * ${lanes} + i32(lane);`)
  const [width, rows] = grid(groups)
  if (width * rows * lanes !== count) writer.line(`if (${name} >= ${count}) { return; }`)
  return [width, rows, 1]
}

/** Loop variables that `roots` read, apart from those inside expressions that have a name. */
const usedVariables = (
  roots: ReadonlyArray<Ir.Expression>,
  names: ReadonlyMap<Ir.Expression, string>,
): ReadonlySet<number> => {
  const used = new Set<number>()
  const seen = new Set<Ir.Expression>()
  const visit = (node: Ir.Expression): void => {
    if (seen.has(node) || names.has(node)) return
    seen.add(node)
    if (node.kind === "variable") used.add(node.index)
    Ir.children(node).forEach(visit)
  }
  roots.forEach(visit)
  return used
}

/**
 * Names loop variables `first …`, of the row-major `position` in `extents`, as far as `roots` read
 * them, in `frame`.
 */
export const delinearize = (
  writer: WgslBuilder.Writer,
  frame: MutableFrame,
  position: string,
  extents: ReadonlyArray<number>,
  first: number,
  roots: ReadonlyArray<Ir.Expression>,
): void => {
  const used = usedVariables(roots, frame.names)
  const total = product(extents)
  let stride = total
  for (const [axis, extent] of extents.entries()) {
    const outermost = stride === total
    stride /= Math.max(1, extent)
    const index = first + axis
    frame.variables[index] = "0"
    if (extent <= 1 || !used.has(index)) continue
    const quotient = stride === 1 ? position : `(${position} / ${stride})`
    const text = outermost ? quotient : `${quotient} % ${extent}`
    if (text === position) {
      frame.variables[index] = position
      continue
    }
    frame.variables[index] = writer.name("v")
    writer.line(`let ${frame.variables[index]} = ${text};`)
  }
}

/**
 * Index expressions that are the row-major position itself (a dense operand read in the order of
 * the loops) need no arithmetic: they get the position's name.
 */
export const recognizePosition = (
  frame: WgslBuilder.Frame,
  position: string,
  extents: ReadonlyArray<number>,
  roots: ReadonlyArray<Ir.Expression>,
): void => {
  const strides = new Map<number, number>()
  let stride = 1
  for (let axis = extents.length - 1; axis >= 0; axis--) {
    if (extents[axis] > 1) strides.set(axis, stride)
    stride *= extents[axis]
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

/** A frame under construction: loop variables get their text as the loops are opened. */
export interface MutableFrame extends WgslBuilder.Frame {
  readonly variables: Array<string>
}

/** A frame that starts with the variables and names of `outer`. */
export const frameIn = (
  outer?: WgslBuilder.Frame,
  args: ReadonlyArray<string> = outer?.arguments ?? [],
): MutableFrame => ({
  variables: [...(outer?.variables ?? [])],
  arguments: args,
  names: new Map(outer?.names),
})

/** Stores every output of a kernel at `position`. */
export const storeOutputs = (
  writer: WgslBuilder.Writer,
  frame: WgslBuilder.Frame,
  outputs: ReadonlyArray<Ir.Output>,
  position: string,
): void => {
  const values = writer.evaluate(
    frame,
    outputs.map((output) => output.value),
  )
  for (const [index, output] of outputs.entries()) {
    writer.store(output.operand, position, values[index])
  }
}
