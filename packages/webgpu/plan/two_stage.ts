import { Ir } from "@espalier/tensor"
import { product } from "../templates/common.ts"
import type { AddScratch, Launch, OperandRange } from "./launch.ts"
import { dropUnusedOperands } from "./launch.ts"

/** How many pieces a long fold is cut into, and how long each is. */
interface Cut {
  readonly chunks: number
  readonly size: number
}

const whole = (buffer: number, length: number): OperandRange => ({ buffer, first: 0, length })

const variables = (builder: Ir.ExpressionBuilder, extents: ReadonlyArray<number>, first = 0) =>
  extents.map((extent, i) => builder.variable(first + i, extent))

/** A kernel that leaves the fold of every chunk in scratch memory, one buffer an accumulator. */
const foldChunks = (
  kernel: Ir.ReduceKernel | Ir.ScanKernel,
  operands: ReadonlyArray<OperandRange>,
  { chunks, size }: Cut,
  add: AddScratch,
): { readonly launch: Launch; readonly partial: ReadonlyArray<OperandRange> } => {
  const { loops, combine } = kernel
  const reduceLoops = kernel.kind === "reduce" ? kernel.reduceLoops : [kernel.length]
  const length = product(reduceLoops)
  const outer = loops.length
  const builder = new Ir.ExpressionBuilder()
  const chunk = builder.variable(outer, chunks)
  const place = builder.add(builder.multiply(chunk, size), builder.variable(outer + 1, size))
  const inRange = builder.binary("less", place, builder.constant(length, "i32"))
  const last = builder.constant(length - 1, "i32")
  const at = chunks * size === length ? place : builder.binary("minimum", place, last)
  const { kernel: moved } = Ir.substitute(
    kernel,
    () => [...variables(builder, loops), ...builder.delinearize(at, reduceLoops)],
    builder,
  )
  const partial = combine.dtypes.map((dtype) => {
    const total = product(loops) * chunks
    return whole(add(dtype, total), total)
  })
  const made: Ir.ReduceKernel = {
    kind: "reduce",
    name: `${kernel.name} (chunks)`,
    operands: [
      ...kernel.operands,
      ...partial.map(({ length }, i): Ir.Operand => ({
        dtype: combine.dtypes[i],
        length,
        access: "write",
      })),
    ],
    loops: [...loops, chunks],
    reduceLoops: [size],
    elements: moved.elements.map((element, i) =>
      builder.select(inRange, element, builder.constant(combine.identity[i], element.dtype)),
    ),
    combine: moved.combine,
    outputs: combine.dtypes.map((dtype, i) => ({
      operand: kernel.operands.length + i,
      value: builder.argument(i, dtype),
    })),
  }
  const launch = dropUnusedOperands({ kernel: made, operands: [...operands, ...partial] })
  return { launch, partial }
}

/** Operands that are read from the scratch memory of an earlier launch. */
const reading = (partial: ReadonlyArray<OperandRange>, { dtypes }: Ir.Combine) =>
  partial.map(({ length }, i): Ir.Operand => ({ dtype: dtypes[i], length, access: "read" }))

/** Few long folds: every chunk of them in a first launch, the chunks of each in a second one. */
export const splitReduction = (
  kernel: Ir.ReduceKernel,
  operands: ReadonlyArray<OperandRange>,
  chunks: number,
  add: AddScratch,
): ReadonlyArray<Launch> => {
  // Chunks that begin where a binding may are the same kernel wherever they are bound.
  const size = Math.ceil(product(kernel.reduceLoops) / chunks / 64) * 64
  const cut = { chunks: Math.ceil(product(kernel.reduceLoops) / size), size }
  const { launch, partial } = foldChunks(kernel, operands, cut, add)
  const { loops, combine } = kernel
  const builder = new Ir.ExpressionBuilder()
  const { kernel: moved } = Ir.substitute(
    { ...kernel, elements: [] },
    () => variables(builder, loops),
    builder,
  )
  const shape = [...loops, cut.chunks]
  const place = builder.linearize(variables(builder, shape), shape)
  const joined: Ir.ReduceKernel = {
    ...moved,
    operands: [...kernel.operands, ...reading(partial, combine)],
    reduceLoops: [cut.chunks],
    elements: combine.dtypes.map((dtype, i) =>
      builder.load(kernel.operands.length + i, place, dtype),
    ),
  }
  return [launch, dropUnusedOperands({ kernel: joined, operands: [...operands, ...partial] })]
}

/** The largest divisor of `length` that is at most `most`. */
export const divisorBelow = (length: number, most: number): number => {
  for (let size = Math.min(length, most); size > 1; size--) if (length % size === 0) return size
  return 1
}

/**
 * Few long scans: the fold of every chunk, a scan of those, and a scan of every chunk that starts
 * from what came before it. `size` divides the length.
 */
export const splitScan = (
  kernel: Ir.ScanKernel,
  operands: ReadonlyArray<OperandRange>,
  size: number,
  add: AddScratch,
): ReadonlyArray<Launch> => {
  const { combine, length } = kernel
  const cut = { chunks: length / size, size }
  const { launch, partial } = foldChunks(kernel, operands, cut, add)
  const carried = partial.map((range, i) =>
    whole(add(combine.dtypes[i], range.length), range.length),
  )
  return [
    launch,
    scanChunks(kernel, partial, carried, cut),
    scanWithin(kernel, operands, carried, cut),
  ].map((each) =>
    each.kernel.kind === "scan" ? dropUnusedOperands({ ...each, kernel: each.kernel }) : each,
  )
}

const scanChunks = (
  { name, loops, combine }: Ir.ScanKernel,
  partial: ReadonlyArray<OperandRange>,
  carried: ReadonlyArray<OperandRange>,
  { chunks }: Cut,
): Launch => {
  const builder = new Ir.ExpressionBuilder()
  const copy = Ir.rewrite(builder, () => undefined)
  const shape = [...loops, chunks]
  const place = builder.linearize(variables(builder, shape), shape)
  const count = partial.length
  const kernel: Ir.ScanKernel = {
    kind: "scan",
    name: `${name} (of chunks)`,
    operands: [
      ...reading(partial, combine),
      ...reading(carried, combine).map((operand) => ({ ...operand, access: "write" as const })),
    ],
    loops,
    length: chunks,
    elements: combine.dtypes.map((dtype, i) => builder.load(i, place, dtype)),
    combine: { ...combine, result: combine.result.map(copy) },
    outputs: combine.dtypes.map((dtype, i) => ({
      operand: count + i,
      value: builder.argument(i, dtype),
    })),
  }
  return { kernel, operands: [...partial, ...carried] }
}

/** Scans of the chunks; the first element of each is joined with what the chunks before it gave. */
const scanWithin = (
  kernel: Ir.ScanKernel,
  operands: ReadonlyArray<OperandRange>,
  carried: ReadonlyArray<OperandRange>,
  { chunks, size }: Cut,
): Launch => {
  const { loops, combine } = kernel
  const outer = loops.length
  const builder = new Ir.ExpressionBuilder()
  const [chunk, step] = [builder.variable(outer, chunks), builder.variable(outer + 1, size)]
  const { kernel: moved } = Ir.substitute(
    kernel,
    () => [...variables(builder, loops), builder.add(builder.multiply(chunk, size), step)],
    builder,
  )
  const zero = builder.constant(0, "i32")
  const before = builder.binary("maximum", builder.subtract(chunk, 1), zero)
  const shape = [...loops, chunks]
  const place = builder.linearize([...variables(builder, loops), before], shape)
  const carry = combine.dtypes.map((dtype, i) =>
    builder.load(kernel.operands.length + i, place, dtype),
  )
  const given = [...carry, ...moved.elements]
  const join = Ir.rewrite(builder, (node) =>
    node.kind === "argument" ? given[node.slot] : undefined,
  )
  const joins = builder.binary(
    "and",
    builder.binary("equal", step, zero),
    builder.binary("less", zero, chunk),
  )
  return {
    kernel: {
      ...moved,
      operands: [...kernel.operands, ...reading(carried, combine)],
      loops: [...loops, chunks],
      length: size,
      elements: moved.elements.map((element, i) =>
        builder.select(joins, join(combine.result[i]), element),
      ),
    },
    operands: [...operands, ...carried],
  }
}
