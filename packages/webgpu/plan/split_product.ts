import { Ir } from "@espalier/tensor"
import { product } from "../templates/common.ts"
import type { Strategy } from "../templates/strategy.ts"
import type { AddScratch, Launch, OperandRange } from "./launch.ts"
import { dropUnusedOperands } from "./launch.ts"

/** Shorter sums are not worth a second launch. */
const shortest = 64

/** In how many pieces of equal length a product's sums should be cut; 1 for not at all. */
export const productPieces = (
  { batch, m, n, k }: Ir.ContractKernel,
  { splitProduct }: Strategy,
): number => {
  const outputs = product(batch) * m * n
  if (outputs === 0) return 1
  let pieces = Math.min(Math.floor(k / shortest), Math.floor(splitProduct / outputs))
  while (pieces > 1 && k % pieces !== 0) pieces--
  return Math.max(1, pieces)
}

/**
 * A product of few outputs and long sums as a batch of products over pieces of the sums, and a
 * reduction that adds those up: without it a few workgroups would have all the work.
 */
export const splitProduct = (
  kernel: Ir.ContractKernel,
  operands: ReadonlyArray<OperandRange>,
  pieces: number,
  add: AddScratch,
): ReadonlyArray<Launch> => {
  const { batch, m, n, k } = kernel
  const size = k / pieces
  const rank = batch.length
  const length = product(batch) * pieces * m * n
  const partial: OperandRange = { buffer: add("f32", length), first: 0, length }
  const scratch = (access: Ir.Operand["access"]): Ir.Operand => ({ dtype: "f32", length, access })
  const all = [...operands, partial]

  const builder = new Ir.ExpressionBuilder()
  const extents = [...batch, pieces, m, n, size]
  const variables = extents.map((extent, i) => builder.variable(i, extent))
  const place = builder.add(builder.multiply(variables[rank], size), variables[rank + 3])
  const { kernel: moved } = Ir.substitute(
    { ...kernel, outputs: [] },
    () => [...variables.slice(0, rank), variables[rank + 1], variables[rank + 2], place],
    builder,
  )
  const parts: Ir.ContractKernel = {
    ...moved,
    name: `${kernel.name} (pieces)`,
    batch: [...batch, pieces],
    k: size,
    operands: [...kernel.operands, scratch("write")],
    outputs: [{ operand: kernel.operands.length, value: builder.argument(0, "f32") }],
  }
  return [
    dropUnusedOperands({ kernel: parts, operands: all }),
    addUp(kernel, all, pieces, scratch("read")),
  ]
}

const addUp = (
  { name, batch, m, n, operands, outputs }: Ir.ContractKernel,
  all: ReadonlyArray<OperandRange>,
  pieces: number,
  scratch: Ir.Operand,
): Launch => {
  const rank = batch.length
  const builder = new Ir.ExpressionBuilder()
  const shape = [...batch, pieces, m, n]
  const loops = [...batch, m, n]
  const outer = loops.map((extent, i) => builder.variable(i, extent))
  const piece = builder.variable(rank + 2, pieces)
  const at = builder.linearize([...outer.slice(0, rank), piece, ...outer.slice(rank)], shape)
  const copy = Ir.rewrite(builder, (node) =>
    node.kind === "argument" ? builder.cast(builder.argument(0, "f32"), node.dtype) : undefined,
  )
  const kernel: Ir.ReduceKernel = {
    kind: "reduce",
    name,
    operands: [...operands, scratch],
    loops,
    reduceLoops: [pieces],
    elements: [builder.load(operands.length, at, "f32")],
    combine: {
      name: "add",
      dtypes: ["f32"],
      identity: [0],
      result: [builder.binary("add", builder.argument(0, "f32"), builder.argument(1, "f32"))],
    },
    outputs: outputs.map(({ operand, value }) => ({ operand, value: copy(value) })),
  }
  return dropUnusedOperands({ kernel, operands: all })
}
