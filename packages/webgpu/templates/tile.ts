import type { Ir, WgslBuilder } from "@espalier/tensor"
import { frameIn, loopBound } from "./common.ts"
import type { Strategy } from "./strategy.ts"

/** Where the sums of a tile belong, and whether the edge can cut it. */
export interface TilePlaces {
  /** The row of the first sum, and how far the next ones are. */
  readonly row: string
  readonly rowStep: number
  readonly column: string
  readonly columnStep: number
  readonly wholeRows: boolean
  readonly wholeColumns: boolean
}

/** So many sums are finished one after the other in the text; more of them in a loop. */
const writtenOut = 4

/** Finishes every sum of a tile and stores it, where it lies inside the matrix. */
export const storeTile = (
  kernel: Ir.ContractKernel,
  writer: WgslBuilder.Writer,
  outer: WgslBuilder.Frame,
  sums: ReadonlyArray<ReadonlyArray<string>>,
  places: TilePlaces,
  strategy: Strategy,
): void => {
  const store = (sum: string, i: string, j: string) =>
    storeSum(kernel, writer, outer, sum, `${places.row} + ${i}`, `${places.column} + ${j}`, places)
  const width = sums[0].length
  const count = sums.length * width
  if (strategy.unroll || count <= writtenOut) {
    sums.forEach((line, i) =>
      line.forEach((sum, j) => store(sum, `${i * places.rowStep}`, `${j * places.columnStep}`)),
    )
    return
  }
  // Drivers that compile for the CPU take long over long texts.
  const [all, at] = [writer.name("sums"), writer.name("at")]
  writer.line(`var ${all} = array<f32, ${count}>(${sums.flat().join(", ")});`)
  writer.block(`for (var ${at} = 0; ${at} < ${loopBound(count, strategy)}; ${at}++)`, () => {
    const [i, j] = [`${at} / ${width}`, `${at} % ${width}`]
    store(`${all}[${at}]`, `${i} * ${places.rowStep}`, `${j} * ${places.columnStep}`)
  })
}

const storeSum = (
  kernel: Ir.ContractKernel,
  writer: WgslBuilder.Writer,
  outer: WgslBuilder.Frame,
  sum: string,
  rowText: string,
  columnText: string,
  { wholeRows, wholeColumns }: TilePlaces,
): void => {
  const { batch, m, n } = kernel
  const [row, column] = [writer.name("m"), writer.name("n")]
  const inside = [
    ...(wholeRows ? [] : [`${row} < ${m}`]),
    ...(wholeColumns ? [] : [`${column} < ${n}`]),
  ]
  writer.block("", () => {
    writer.line(`let ${row} = ${rowText};`)
    writer.line(`let ${column} = ${columnText};`)
    writer.block(inside.length === 0 ? "" : `if (${inside.join(" && ")})`, () => {
      const frame = frameIn(outer, [sum])
      frame.variables[batch.length] = row
      frame.variables[batch.length + 1] = column
      const values = writer.evaluate(
        frame,
        kernel.outputs.map((output) => output.value),
      )
      const matrix = batch.length === 0 ? "" : `matrix * ${m * n} + `
      kernel.outputs.forEach((output, o) =>
        writer.store(output.operand, `${matrix}${row} * ${n} + ${column}`, values[o]),
      )
    })
  })
}
