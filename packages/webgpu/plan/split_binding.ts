import { byteSize, Ir } from "@espalier/tensor"
import { product } from "../templates/common.ts"
import type { Launch, OperandRange } from "./launch.ts"
import { rangeBytes } from "./launch.ts"

/** Limits of an adapter that a launch must keep. */
export interface BindingLimits {
  /** Bytes of one binding. */
  readonly bindingBytes: number
  /** Bindings of one kernel. */
  readonly bindings: number
}

/** Why a launch cannot be made to fit. */
export interface Unsplittable {
  readonly operand: number
  readonly bytes: number
}

/** Part of the iteration space of a kernel's outputs: `[start, start + count)` on every axis. */
interface Part {
  readonly start: ReadonlyArray<number>
  readonly count: ReadonlyArray<number>
}

/** Loops whose ranges are independent of each other. A scan needs all of its row. */
const independentLoops = (kernel: Ir.SimpleKernel): number => {
  const outputs = Ir.outputExtents(kernel).length
  return kernel.kind === "scan" ? outputs - 1 : outputs
}

const withCounts = (kernel: Ir.SimpleKernel, count: ReadonlyArray<number>): Ir.SimpleKernel => {
  switch (kernel.kind) {
    case "map":
    case "reduce":
      return { ...kernel, loops: count }
    case "scan":
      return { ...kernel, loops: count.slice(0, -1) }
    case "contract": {
      const [m, n] = count.slice(-2) as [number, number]
      return { ...kernel, batch: count.slice(0, -2), m, n }
    }
    case "scatter":
      return { ...kernel, rows: count[0] }
  }
}

/** The kernel on one part of its outputs; its loads still index whole buffers. */
const restrict = (kernel: Ir.SimpleKernel, { start, count }: Part) => {
  const made = withCounts(kernel, count)
  const extents = Ir.variableExtents(made)
  if (made.kind === "scatter") {
    // Updates of other rows fall outside, and are dropped there.
    const { kernel: moved, builder } = Ir.substitute(made, (b) =>
      extents.map((extent, i) => b.variable(i, extent)),
    )
    const row = moved.row.dtype === "i32" ? moved.row : builder.cast(moved.row, "i32")
    return { kernel: { ...moved, row: builder.subtract(row, start[0]) }, builder }
  }
  return Ir.substitute(made, (b) =>
    extents.map((extent, i) => b.add(b.variable(i, extent), start[i] ?? 0)),
  )
}

/** Elements at which a binding may begin. */
const unitOf = (dtype: Ir.Operand["dtype"]): number => Ir.arenaAlignment / byteSize(dtype)

/** The range from the last possible start of a binding to the end of the part. */
const outputRange = (
  { start, count }: Part,
  extents: ReadonlyArray<number>,
  { buffer }: OperandRange,
  dtype: Ir.Operand["dtype"],
): OperandRange => {
  const from = start.reduce((place, at, axis) => place * extents[axis] + at, 0)
  const shift = from % unitOf(dtype)
  const range = { buffer, first: from - shift, length: shift + product(count) }
  return shift === 0 ? range : { ...range, shift }
}

/** Tries one part; answers the launch, or the operand that is still too large. */
const fit = (
  launch: Launch & { readonly kernel: Ir.SimpleKernel },
  part: Part,
  limits: BindingLimits,
  paging: boolean,
): Launch | Unsplittable => {
  const { kernel, builder } = restrict(launch.kernel, part)
  const extents = Ir.outputExtents(launch.kernel)
  const stored = new Set(launch.kernel.outputs.map(({ operand }) => operand))
  if (kernel.kind === "scatter" && kernel.initial !== undefined) stored.add(kernel.initial)
  const low = new Map<number, number>()
  const high = new Map<number, number>()
  for (const node of Ir.reachable(Ir.roots(kernel))) {
    if (node.kind !== "load") continue
    const [from, to] = builder.range(node.index)
    const { buffer } = launch.operands[node.operand]
    low.set(buffer, Math.min(low.get(buffer) ?? Infinity, from))
    high.set(buffer, Math.max(high.get(buffer) ?? 0, to))
  }
  let bindings = 0
  const ranges: Array<OperandRange> = []
  for (const [i, operand] of launch.operands.entries()) {
    const { dtype } = kernel.operands[i]
    const read = low.has(operand.buffer)
    const range = stored.has(i)
      ? outputRange(part, extents, operand, dtype)
      : inputRange(operand, dtype, low, high)
    // What a scatter starts from may be read as an update too, and then all of it is needed.
    if (stored.has(i) && read) return { operand: i, bytes: rangeBytes(dtype, operand.length) }
    const bytes = rangeBytes(dtype, range.length)
    const pages = Math.ceil(bytes / limits.bindingBytes)
    if (pages > 1 && (stored.has(i) || !paging)) return { operand: i, bytes }
    bindings += pages
    if (bindings > limits.bindings) return { operand: i, bytes }
    ranges.push(pages > 1 ? { ...range, pages } : range)
  }
  const shifted = Ir.rewrite(builder, (node, recurse) =>
    node.kind === "load"
      ? builder.load(
          node.operand,
          builder.subtract(recurse(node.index), ranges[node.operand].first),
          node.dtype,
        )
      : undefined,
  )
  const operands = kernel.operands.map((operand, i) => ({ ...operand, length: ranges[i].length }))
  return { kernel: { ...Ir.mapExpressions(kernel, shifted), operands }, operands: ranges }
}

const inputRange = (
  { buffer, length }: OperandRange,
  dtype: Ir.Operand["dtype"],
  low: ReadonlyMap<number, number>,
  high: ReadonlyMap<number, number>,
): OperandRange => {
  const unit = unitOf(dtype)
  const from = Math.min(Math.max(0, low.get(buffer) ?? 0), Math.max(0, length - 1))
  const first = Math.floor(from / unit) * unit
  const end = Math.min(length, (high.get(buffer) ?? 0) + 1)
  return { buffer, first, length: Math.max(1, end - first) }
}

/** Rows of an axis after which outputs begin where a binding may: parts are then the same kernel. */
const rowUnit = (kernel: Ir.SimpleKernel, axis: number): number => {
  const inner = product(Ir.outputExtents(kernel).slice(axis + 1))
  let unit = 1
  for (const { operand } of kernel.outputs) {
    const most = unitOf(kernel.operands[operand].dtype)
    while ((unit * inner) % most !== 0) unit *= 2
  }
  return unit
}

/** True where no way was found. */
export const isUnsplittable = (result: object): result is Unsplittable => "bytes" in result

const cut = (
  launch: Launch & { readonly kernel: Ir.SimpleKernel },
  part: Part,
  limits: BindingLimits,
  paging: boolean,
): ReadonlyArray<Launch> | Unsplittable => {
  const result = fit(launch, part, limits, paging)
  if (!isUnsplittable(result)) return [result]
  const loops = independentLoops(launch.kernel)
  const axis = part.count.findIndex((extent, i) => i < loops && extent > 1)
  if (axis < 0 || (launch.kernel.kind === "scatter" && axis > 0)) return result
  const extent = part.count[axis]
  const unit = rowUnit(launch.kernel, axis)
  const at = (offset: number, size: number): Part => ({
    start: part.start.map((first, i) => (i === axis ? first + offset : first)),
    count: part.count.map((count, i) => (i === axis ? Math.min(size, count - offset) : count)),
  })
  // The largest equal parts that fit; where a single row does not, it is cut along the next axis.
  let size = extent
  while (size > 1) {
    const half = Math.ceil(size / 2)
    size = half > unit ? Math.ceil(half / unit) * unit : half
    if (!isUnsplittable(fit(launch, at(0, size), limits, paging))) break
  }
  if (size >= extent) return result
  const launches: Array<Launch> = []
  for (let offset = 0; offset < extent; offset += size) {
    const made = cut(launch, at(offset, size), limits, paging)
    if (isUnsplittable(made)) return made
    launches.push(...made)
  }
  return launches
}

/** So many launches are not worth a look for a way with fewer. */
const fewLaunches = 16

/**
 * A launch with operands past the binding limit as several, each over rows whose operands fit.
 * Operands that are read all over the place are bound in pieces instead, as far as the adapter has
 * bindings.
 */
export const splitBindings = (
  launch: Launch,
  limits: BindingLimits,
): ReadonlyArray<Launch> | Unsplittable => {
  const { kernel, operands } = launch
  const tooLong = (length: number, i: number) =>
    rangeBytes(kernel.operands[i].dtype, length) > limits.bindingBytes
  const large = operands.findIndex(({ length }, i) => tooLong(length, i))
  if (large < 0) return [launch]
  if (kernel.kind === "rows" || kernel.kind === "custom") {
    return {
      operand: large,
      bytes: rangeBytes(kernel.operands[large].dtype, operands[large].length),
    }
  }
  const simple = { ...launch, kernel }
  const count = Ir.outputExtents(kernel)
  const part = { start: count.map(() => 0), count }
  const split = cut(simple, part, limits, false)
  if (!isUnsplittable(split) && split.length <= fewLaunches) return split
  const paged = cut(simple, part, limits, true)
  if (isUnsplittable(paged)) return split
  return isUnsplittable(split) || paged.length < split.length ? paged : split
}
