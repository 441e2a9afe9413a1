import { Ir } from "@espalier/tensor"
import type { Template } from "./compile_kernel.ts"
import { compilePacked } from "./contract_packed.ts"
import { compileStreamed } from "./contract_stream.ts"
import { prefers } from "./contract_parts.ts"
import type { Access } from "./dependencies.ts"
import { access, dependencies } from "./dependencies.ts"
import type { KernelModule } from "./emitter.ts"
import { denseIndex } from "./loops.ts"
import { compileMap } from "./map.ts"

/**
 * A matrix product as the templates see it: `rows` × `columns` results, columns in the lanes. Which
 * of the kernel's m and n is which depends on the shapes.
 */
export interface Product {
  readonly kernel: Ir.ContractKernel
  readonly batch: ReadonlyArray<number>
  readonly rows: {
    readonly variable: number
    readonly extent: number
    readonly value: Ir.Expression
  }
  readonly columns: {
    readonly variable: number
    readonly extent: number
    readonly value: Ir.Expression
  }
  readonly inner: { readonly variable: number; readonly extent: number }
  readonly values: ReadonlyArray<Ir.Expression>
  readonly stores: ReadonlyArray<Access>
}

/** Where the right side is the same for the whole batch, the batch is more rows of the left side. */
const joinBatch = (kernel: Ir.ContractKernel): Ir.ContractKernel => {
  const { batch, m, n, k } = kernel
  const used = dependencies(kernel.right).variables
  if (batch.length === 0 || batch.some((_, index) => used.has(index))) return kernel
  const rows = batch.reduce((total, extent) => total * extent, m)
  const joined: Ir.ContractKernel = { ...kernel, batch: [], m: rows }
  return Ir.substitute(joined, (builder) => [
    ...builder.delinearize(builder.variable(0, rows), [...batch, m]),
    builder.variable(1, n),
    builder.variable(2, k),
  ]).kernel
}

/** A product over nothing is 0 everywhere: only the output expressions are left. */
const withoutInner = (kernel: Ir.ContractKernel): Ir.MapKernel => {
  const { batch, m, n, name, operands, outputs } = kernel
  const builder = new Ir.ExpressionBuilder()
  const rewrite = Ir.rewrite(builder, (node) =>
    node.kind === "argument" ? builder.constant(0, node.dtype) : undefined,
  )
  return {
    kind: "map",
    name,
    operands,
    outputs: outputs.map(({ operand, value }) => ({ operand, value: rewrite(value) })),
    loops: [...batch, m, n],
  }
}

/** True where packing the right side would cost more than it saves. */
const fewRows = ({ rows, columns, inner }: Product): boolean =>
  rows.extent <= (prefers(columns.value, columns, inner) ? 4 : 3)

/** Writes a contract kernel. */
export const compileContract = (module: KernelModule, source: Ir.ContractKernel): Template => {
  if (source.k === 0) return { stages: compileMap(module, withoutInner(source)) }
  const { kernel, builder } = Ir.collapseLoops(joinBatch(source))
  const { batch, m, n, k, outputs } = kernel
  const index = denseIndex(builder, [...batch, m, n])
  const first = batch.length
  const left = { variable: first, extent: m, value: kernel.left }
  const right = { variable: first + 1, extent: n, value: kernel.right }
  const turned = n < 4 && m > n
  const shape: Product = {
    kernel,
    batch,
    rows: turned ? right : left,
    columns: turned ? left : right,
    inner: { variable: first + 2, extent: k },
    values: outputs.map((output) => output.value),
    stores: outputs.map((output) => access(output.operand, index)),
  }
  return fewRows(shape) ? compileStreamed(module, shape) : compilePacked(module, shape)
}
