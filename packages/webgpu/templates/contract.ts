import { Ir } from "@espalier/tensor"
import type { Bindings, Lowered, MutableFrame } from "./common.ts"
import { delinearize, frameIn, loopBound, positions, product, writerFor } from "./common.ts"
import { canBroadcast, lowerBroadcastContract } from "./contract_broadcast.ts"
import { lowerTiledContract } from "./contract_tiled.ts"
import { lowerReduce } from "./reduce.ts"
import type { Strategy } from "./strategy.ts"
import { storeTile } from "./tile.ts"

/** A matrix product by the kind of adapter and the shape of the operands. */
export const lowerContract = (
  given: Ir.ContractKernel,
  bound: Bindings,
  strategy: Strategy,
): Lowered => {
  const kernel = inSinglePrecision(given)
  if (isDotProducts(kernel, strategy)) {
    return lowerReduce(asReduction(kernel), bound, { ...strategy, reduce: "lanes" })
  }
  if (strategy.contract === "broadcast" && canBroadcast(kernel, strategy)) {
    return lowerBroadcastContract(kernel, bound, strategy)
  }
  const few = Math.min(kernel.m, kernel.n) < 8
  return strategy.contract === "tiled" && !few
    ? lowerTiledContract(kernel, bound, strategy)
    : lowerRegisterContract(kernel, bound, strategy)
}

/** Few outputs over a long sum: a workgroup for each, or most of the adapter would idle. */
export const isDotProducts = (kernel: Ir.ContractKernel, strategy: Strategy): boolean => {
  const { batch, m, n, k, left, right } = kernel
  if (k < 2 * strategy.reduceLanes) return false
  if (product(batch) * m * n < strategy.reduceOutputs) return true
  const variable = batch.length + 2
  const walks = [left, right].every((side) =>
    Ir.reachable([side]).some(
      (node) => node.kind === "load" && Ir.strideOf(node.index, variable) === 1,
    ),
  )
  return strategy.coalesce && Math.min(m, n) < 8 && walks
}

/** The product with `f32` factors and an `f32` sum, whatever it reads and stores. */
const inSinglePrecision = (kernel: Ir.ContractKernel): Ir.ContractKernel => {
  const builder = new Ir.ExpressionBuilder()
  const copy = Ir.rewrite(builder, (node) =>
    node.kind === "argument" ? builder.cast(builder.argument(0, "f32"), node.dtype) : undefined,
  )
  const moved = Ir.mapExpressions(kernel, copy)
  const [left, right] = [builder.cast(moved.left, "f32"), builder.cast(moved.right, "f32")]
  return { ...moved, left, right }
}

/** The same sum as a reduction over k. */
const asReduction = (kernel: Ir.ContractKernel): Ir.ReduceKernel => {
  const builder = new Ir.ExpressionBuilder()
  const { left, right, outputs } = Ir.mapExpressions(
    kernel,
    Ir.rewrite(builder, () => undefined),
  )
  return {
    kind: "reduce",
    name: kernel.name,
    operands: kernel.operands,
    outputs,
    loops: [...kernel.batch, kernel.m, kernel.n],
    reduceLoops: [kernel.k],
    elements: [builder.binary("multiply", left, right)],
    combine: {
      name: "add",
      dtypes: ["f32"],
      identity: [0],
      result: [builder.binary("add", builder.argument(0, "f32"), builder.argument(1, "f32"))],
    },
  }
}

/** Outputs of one invocation along an axis. Small products want invocations, not reuse. */
const tileOf = (extent: number, { batch, m, n, k }: Ir.ContractKernel): number => {
  const work = product(batch) * m * n * k
  return Math.min(extent, work < 2 ** 16 ? 1 : work < 2 ** 20 ? 2 : 4)
}

/**
 * A tile of 4 × 4 outputs in the registers of one invocation; its columns lie apart, so that
 * neighbouring invocations read neighbouring columns.
 */
export const lowerRegisterContract = (
  kernel: Ir.ContractKernel,
  bound: Bindings,
  strategy: Strategy,
): Lowered => {
  const { batch, m, n, k } = kernel
  const [rows, columns] = [tileOf(m, kernel), tileOf(n, kernel)]
  const [tilesM, tilesN] = [Math.ceil(m / rows), Math.ceil(n / columns)]
  const [M, N, K] = [batch.length, batch.length + 1, batch.length + 2]
  const { left, right } = kernel
  const writer = writerFor(bound)
  const lanes = strategy.contractLanes
  const workgroups = positions(writer, product(batch) * tilesM * tilesN, lanes)
  writer.line(`let column = position % ${tilesN};`)
  writer.line(`let row = (position / ${tilesN}) % ${tilesM} * ${rows};`)
  writer.line(`let matrix = position / ${tilesM * tilesN};`)
  const outer = frameIn()
  const values = kernel.outputs.map((output) => output.value)
  delinearize(writer, outer, "matrix", batch, 0, [left, right, ...values])

  const side = (
    count: number,
    axis: number,
    root: Ir.Expression,
    place: (i: number) => string,
    limit: number,
  ): ReadonlyArray<MutableFrame> =>
    Array.from({ length: count }, (_, i) => {
      const frame = frameIn(outer)
      const name = writer.name(axis === M ? "m" : "n")
      writer.line(`let ${name} = min(${place(i)}, ${limit - 1});`)
      // Past the edge the last element is read again, and what comes of it is not stored.
      frame.variables[axis] = name
      frame.variables[K] = "k"
      writer.hoist(frame, [root], new Set([K]))
      return frame
    })
  const lefts = side(rows, M, left, (i) => `row + ${i}`, m)
  const rights = side(columns, N, right, (j) => `column + ${j * tilesN}`, n)
  const sums = lefts.map(() => rights.map(() => writer.name("sum")))
  for (const sum of sums.flat()) writer.line(`var ${sum} = 0.0f;`)
  writer.block(`for (var k = 0; k < ${loopBound(k, strategy)}; k++)`, () => {
    const operand = (prefix: string, frame: MutableFrame, root: Ir.Expression) => {
      const [text] = writer.evaluate(frameIn(frame), [root])
      const name = writer.name(prefix)
      writer.line(`let ${name} = ${text};`)
      return name
    }
    const a = lefts.map((frame) => operand("a", frame, left))
    const b = rights.map((frame) => operand("b_", frame, right))
    sums.forEach((line, i) =>
      line.forEach((sum, j) => writer.line(`${sum} = ${sum} + ${a[i]} * ${b[j]};`)),
    )
  })
  const places = {
    row: "row",
    rowStep: 1,
    column: "column",
    columnStep: tilesN,
    wholeRows: m % rows === 0,
    wholeColumns: tilesN * columns === n,
  }
  storeTile(kernel, writer, outer, sums, places, strategy)
  return { code: writer.shader(lanes), workgroups }
}
