import type { Ir } from "@espalier/tensor"
import type { Bindings, Lowered, MutableFrame } from "./common.ts"
import { delinearize, frameIn, grid, groupIndex, loopBound, product, writerFor } from "./common.ts"
import type { Strategy } from "./strategy.ts"
import { storeTile } from "./tile.ts"
import { loadsOf, vectorLoads, withVectors } from "./vector_loads.ts"

/** Rows that a subgroup sums: as many lanes load one each, and hand it to the others. */
const rows = 8
/** Columns of one lane; neighbouring lanes have neighbouring columns. */
const columns = 2

/** Multiplications below which the kernel is not worth the time that a driver takes to compile it. */
const least = 2 ** 18

/** True where the adapter has subgroups wide enough to hold the rows, and there is enough to do. */
export const canBroadcast = (kernel: Ir.ContractKernel, { subgroup }: Strategy): boolean => {
  const { batch, m, n, k } = kernel
  return subgroup >= rows && m >= rows && n >= subgroup && product(batch) * m * n * k >= least
}

/** Loads that can read four steps of k at once. */
const quadLoads = (kernel: Ir.ContractKernel, bound: Bindings): ReadonlyArray<Ir.Load> => {
  if (kernel.k % 4 !== 0) return []
  const sides = loadsOf([kernel.left, kernel.right])
  const rest = loadsOf(kernel.outputs.map((output) => output.value))
  return vectorLoads(sides, rest, kernel.batch.length + 2, kernel.operands, bound)
}

/**
 * A tile of 8 rows by two columns a lane in the registers of a subgroup. A step of k loads each
 * element of both sides once: of the left side one a lane, broadcast to all, of the right side two.
 */
export const lowerBroadcastContract = (
  kernel: Ir.ContractKernel,
  bound: Bindings,
  strategy: Strategy,
): Lowered => {
  const { batch, m, n, k } = kernel
  const lanes = strategy.subgroup
  const width = lanes * columns
  const [tilesM, tilesN] = [Math.ceil(m / rows), Math.ceil(n / width)]
  const [M, N, K] = [batch.length, batch.length + 1, batch.length + 2]
  const groups = product(batch) * tilesM * tilesN
  const workgroups = grid(groups)
  const quads = quadLoads(kernel, bound)
  const unroll = quads.length > 0 ? 4 : 1
  const writer = writerFor(
    withVectors(
      bound,
      quads.map(({ operand }) => operand),
    ),
  )
  writer.useSubgroups()
  writer.line(`let tile = ${groupIndex(groups)};`)
  if (workgroups[0] * workgroups[1] !== groups) writer.line(`if (tile >= ${groups}) { return; }`)
  writer.line(`let column = (tile / ${tilesM}) % ${tilesN} * ${width} + i32(lane);`)
  writer.line(`let row = tile % ${tilesM} * ${rows};`)
  writer.line(`let matrix = tile / ${tilesM * tilesN};`)
  const outer = frameIn()
  const values = kernel.outputs.map((output) => output.value)
  delinearize(writer, outer, "matrix", batch, 0, [kernel.left, kernel.right, ...values])
  const side = (axis: number, place: string, limit: number, root: Ir.Expression): MutableFrame => {
    const frame = frameIn(outer)
    const name = writer.name(axis === M ? "m" : "n")
    // Past the edge the last element is read again, and what comes of it is not stored.
    writer.line(`let ${name} = min(${place}, ${limit - 1});`)
    frame.variables[axis] = name
    frame.variables[K] = "k"
    writer.hoist(frame, [root], new Set([K]))
    return frame
  }
  const left = side(M, `row + i32(lane) % ${rows}`, m, kernel.left)
  const rights = Array.from({ length: columns }, (_, j) =>
    side(N, `column + ${j * lanes}`, n, kernel.right),
  )
  const sums = Array.from({ length: rows }, () => rights.map(() => writer.name("sum")))
  for (const sum of sums.flat()) writer.line(`var ${sum} = 0.0f;`)
  /** The value of a side at each of the next steps of k. */
  const operand = (frame: MutableFrame, root: Ir.Expression): ReadonlyArray<string> => {
    const own = frameIn(frame)
    const wide = quads
      .filter((load) => loadsOf([root]).includes(load))
      .map((load) => {
        const [index] = writer.evaluate(own, [load.index])
        const name = writer.name("quad")
        writer.line(`let ${name} = ${writer.bindingOf(load.operand)}[${index} / 4];`)
        return { load, name }
      })
    return ["x", "y", "z", "w"].slice(0, unroll).map((component, step) => {
      const at = frameIn(frame)
      at.variables[K] = step === 0 ? "k" : `(k + ${step})`
      for (const { load, name } of wide) at.names.set(load, `${name}.${component}`)
      const [text] = writer.evaluate(at, [root])
      const name = writer.name("x")
      writer.line(`let ${name} = ${text};`)
      return name
    })
  }
  writer.block(`for (var k = 0; k < ${loopBound(k, strategy)}; k += ${unroll})`, () => {
    const a = operand(left, kernel.left)
    const b = rights.map((frame) => operand(frame, kernel.right))
    for (const [step, mine] of a.entries()) {
      sums.forEach((line, i) => {
        const one = writer.name("one")
        writer.line(`let ${one} = subgroupBroadcast(${mine}, ${i}u);`)
        line.forEach((sum, j) => writer.line(`${sum} = ${sum} + ${one} * ${b[j][step]};`))
      })
    }
  })
  const places = {
    row: "row",
    rowStep: 1,
    column: "column",
    columnStep: lanes,
    wholeRows: m % rows === 0,
    wholeColumns: n % width === 0,
  }
  storeTile(kernel, writer, outer, sums, places, strategy)
  return { code: writer.shader(lanes), workgroups }
}
